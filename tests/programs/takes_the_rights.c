/* With a set-uid bit and another owner: becomes that owner for good, so its parent may not signal it any more (G60). */
#define _GNU_SOURCE
#include <stdio.h>
#include <unistd.h>

int main(void)
{
    uid_t owner = geteuid();
    if (owner == getuid() || setresuid(owner, owner, owner))
        return 125;
    printf("ready %d\n", getpid());
    fflush(stdout);
    alarm(20); /* a test that fails leaves it */
    while (1)
        pause();
}
