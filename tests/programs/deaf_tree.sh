#!/bin/sh
# Two processes that ignore SIGTERM, SIGINT, SIGHUP and SIGPIPE, one of them in a session of its own.
trap '' TERM INT HUP PIPE
setsid sleep 300 &
echo "ready $$ $!"
exec sleep 300
