-- A journal of format 1, as nova wrote it: a run that a fresh one made no longer count, a retry, odd values,
-- and another plan with the same ids whose supervisor died.
BEGIN;
CREATE TABLE runs (
    run_id TEXT NOT NULL PRIMARY KEY,
    cascade_file TEXT NOT NULL,
    project TEXT NOT NULL,
    started_at TEXT NOT NULL,
    supervisor TEXT NOT NULL,
    pid INTEGER NOT NULL,
    pid_start_time REAL NOT NULL,
    ended_at TEXT,
    how TEXT
);
CREATE TABLE attempts (
    task_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    run_id TEXT NOT NULL REFERENCES runs (run_id),
    counts INTEGER NOT NULL DEFAULT 1,
    started_at TEXT NOT NULL,
    log_path TEXT NOT NULL,
    agent TEXT NOT NULL,
    prompt_digest TEXT NOT NULL,
    pid INTEGER,
    pid_start_time REAL,
    outcome TEXT,
    ended_at TEXT,
    duration_seconds REAL,
    exit_code INTEGER,
    input_tokens INTEGER,
    output_tokens INTEGER,
    cache_read_tokens INTEGER,
    cache_creation_tokens INTEGER,
    usage_by_model TEXT,
    usage_exact INTEGER,
    cost_usd REAL,
    session_id TEXT,
    model TEXT,
    error TEXT,
    leftovers INTEGER,
    forced INTEGER,
    commit_sha TEXT,
    files_changed TEXT,
    final_log_path TEXT,
    PRIMARY KEY (task_id, number)
);
CREATE INDEX running_attempts ON attempts (task_id) WHERE outcome IS NULL;
CREATE TABLE milestones (
    milestone_id TEXT NOT NULL,
    reached_at TEXT NOT NULL,
    counts INTEGER NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX reached_once ON milestones (milestone_id) WHERE counts;
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    run_id TEXT,
    at TEXT NOT NULL,
    kind TEXT NOT NULL,
    task_id TEXT,
    data TEXT NOT NULL
);
INSERT INTO runs VALUES ('r1', 'CASCADE.md', 'Shop', '2030-01-02T12:00:00.123456+00:00', '5eed', 41, 123.5, '2030-01-02T12:00:08.123456+00:00', 'failed');
INSERT INTO runs VALUES ('r2', 'CASCADE.md', 'Shop', '2030-01-02T12:01:40.123456+00:00', '5eed', 41, 123.5, '2030-01-02T12:02:02.123456+00:00', 'completed');
INSERT INTO runs VALUES ('r3', 'specs/002/tasks.md', 'Shop', '2030-01-02T12:03:20.123456+00:00', '5eed', 41, 123.5, NULL, NULL);
INSERT INTO attempts VALUES ('F1', 1, 'r1', 0, '2030-01-02T12:00:01.123456+00:00', 'logs/F1.log', 'claude', 'abc', 4711, 99.25, 'exit', '2030-01-02T12:00:06.123456+00:00', 5.25, 1, 0, 0, 0, 0, '{}', 0, NULL, NULL, NULL, NULL, 0, 0, NULL, '[]', 'logs/F1~1.log');
INSERT INTO attempts VALUES ('F1', 2, 'r2', 1, '2030-01-02T12:01:41.123456+00:00', 'logs/F1.log', 'claude', 'abc', 4712, 199.25, 'agent_error', '2030-01-02T12:01:47.123456+00:00', 7.125, -9, 1, 2, 3, 4, '{"opus":[1,0,3,0],"haiku":[0,2,0,4]}', 1, 0.1, 's-1', 'opus', X'697420736169643a20e2809c6e6fe2809d0a0020edb3bf20eda080', 2, 1, 'ffffffffffffffffffffffffffffffffffffffff', '["a.py","\u00f6/b\udce4.py"]', 'logs/F1~2.log');
INSERT INTO attempts VALUES ('F1', 3, 'r2', 1, '2030-01-02T12:01:50.123456+00:00', 'logs/F1.log', 'claude', 'abc', NULL, NULL, 'ok', '2030-01-02T12:01:55.123456+00:00', 5.25, 0, 10, 20, 0, 0, '{}', 0, NULL, NULL, NULL, NULL, 0, 0, NULL, '[]', NULL);
INSERT INTO attempts VALUES ('F2', 1, 'r2', 1, '2030-01-02T12:01:56.123456+00:00', X'6c6f67732fedb3a42e6c6f67', 'custom', 'abc', NULL, NULL, 'spawn_error', '2030-01-02T12:01:57.123456+00:00', 5.25, NULL, 0, 0, 0, 0, '{}', 0, NULL, NULL, NULL, 'no such program', 0, 0, NULL, '[]', NULL);
INSERT INTO attempts VALUES ('F3', 1, 'r2', 1, '2030-01-02T12:01:58.123456+00:00', 'logs/F3.log', 'claude', 'abc', NULL, NULL, 'verify', '2030-01-02T12:01:59.123456+00:00', 5.25, 0, 0, 0, 0, 0, '{}', 0, NULL, NULL, NULL, NULL, 0, 0, NULL, '[]', NULL);
INSERT INTO attempts VALUES ('F1', 4, 'r3', 1, '2030-01-02T12:03:21.123456+00:00', 'logs/F1.log', 'claude', 'abc', NULL, NULL, 'ok', '2030-01-02T12:03:22.123456+00:00', 5.25, 0, 0, 0, 0, 0, '{}', 0, NULL, NULL, NULL, NULL, 0, 0, NULL, '[]', NULL);
INSERT INTO attempts VALUES ('F2', 2, 'r3', 1, '2030-01-02T12:03:24.123456+00:00', 'logs/F2.log', 'claude', 'abc', 4713, 299.25, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO milestones VALUES ('half', '2030-01-02T12:00:07.123456+00:00', 0);
INSERT INTO milestones VALUES ('half', '2030-01-02T12:02:00.123456+00:00', 1);
INSERT INTO milestones VALUES ('start', '2030-01-02T12:03:23.123456+00:00', 1);
INSERT INTO events VALUES (1, 'r1', '2030-01-02T12:00:00.123456+00:00', 'run_started', NULL, '{"run_id":"r1","project":"Shop"}');
INSERT INTO events VALUES (2, 'r1', '2030-01-02T12:00:01.123456+00:00', 'attempt_started', 'F1', '{"attempt":1,"pid":4711}');
INSERT INTO events VALUES (3, 'r2', '2030-01-02T12:02:01.123456+00:00', 'task_completed', 'F1', '{"attempt":3,"odd":"\udcff","path":"a"}');
PRAGMA user_version = 1;
COMMIT;
