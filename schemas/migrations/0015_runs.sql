-- Reruns: what a run was made with, so that it can go on after a crash and late messages of its sessions are judged as the
-- run judges; which switch takes back which; and what is left of customers who were forgotten.

ALTER TABLE run_rows ADD COLUMN IF NOT EXISTS filter String COMMENT 'Which sessions of the period were judged anew, JSON; empty for all. The others were taken over as they were';

CREATE TABLE IF NOT EXISTS run_packs (
    run_id   UInt64 COMMENT 'Rerun',
    position UInt16 COMMENT 'Place of the pack in the order of evaluation, from 0',
    name     String COMMENT 'Name of the pack or of its file',
    content  String COMMENT 'Its YAML text'
) ENGINE = {{replicated}}ReplacingMergeTree ORDER BY (run_id, position)
SETTINGS fsync_after_insert = {{fsync}}, fsync_part_directory = {{fsync}}
COMMENT 'Rule packs of reruns';

ALTER TABLE run_switches ADD COLUMN IF NOT EXISTS undoes DateTime64(6, 'UTC') COMMENT 'The switch that this one takes back; 1970 for none';

-- A run is switched while the views show it for any part of its period: then at the start of the period, or right after
-- the end of a switch, it is the one that the latest switch names.
CREATE OR REPLACE VIEW runs (
    run_id        UInt64 COMMENT 'Rerun',
    rules_version String COMMENT 'Rules in use',
    `from`        DateTime64(3, 'UTC') COMMENT 'Start of the period, by started_at',
    `to`          DateTime64(3, 'UTC') COMMENT 'End of the period, inside it',
    state         String COMMENT 'running, done, switched (the views show it for some of its period), failed or cancelled',
    sessions      UInt64 COMMENT 'Sessions that it holds',
    model_version String COMMENT 'Models in use',
    epoch         UInt32 COMMENT 'Snapshot of the opinion registry',
    actor         String COMMENT 'Who started it',
    note          String COMMENT 'What it was for, or why it failed',
    created_at    DateTime64(3, 'UTC') COMMENT 'When it was started',
    filter        String COMMENT 'Which sessions of the period were judged anew, JSON; empty for all. The others were taken over as they were'
) AS
WITH (SELECT groupArray((`from`, `to`, run_id)) FROM (SELECT `from`, `to`, run_id FROM run_switches ORDER BY at DESC, run_id DESC)) AS switches
SELECT run_id, rules_version, `from`, `to`,
    if(state = 'done' AND arrayExists(p -> p >= `from` AND p <= `to` AND tupleElement(arrayFirst(s -> p BETWEEN s.1 AND s.2, switches), 3) = run_id,
        arrayConcat([`from`], arrayMap(s -> s.1, switches), arrayMap(s -> s.2 + toIntervalMillisecond(1), switches))), 'switched', state) AS state,
    sessions, model_version, epoch, actor, note, created_at, filter
FROM run_rows FINAL;

CREATE TABLE IF NOT EXISTS forgotten_sessions (
    hash String COMMENT 'Hash of the session id with the key of the deployment, hex; it does not give the id away',
    at   DateTime64(3, 'UTC') COMMENT 'When it was forgotten'
) ENGINE = {{replicated}}ReplacingMergeTree(at) ORDER BY hash
SETTINGS fsync_after_insert = {{fsync}}, fsync_part_directory = {{fsync}}
COMMENT 'Sessions of customers who were forgotten: their messages are no longer taken';
