-- What pages show of a few sessions: their words, and why their rules hit. In analyses these lie among all that is known of
-- 256 sessions, so fifty sessions from anywhere read the words of thousands; here a read of one session reads 32. Kept
-- like session_facts (0014), by a base of its own.
CREATE TABLE IF NOT EXISTS session_texts (
    base           UInt64 COMMENT 'Copy that the row belongs to',
    gen            UInt64 COMMENT 'As in session_facts',
    session_id     String COMMENT 'Session',
    day            Nullable(Date) COMMENT 'As in sessions',
    shop           String COMMENT 'Shop',
    customer_id    String COMMENT 'Keyed pseudonym of the customer',
    turn_seq       Array(Int64) COMMENT 'As in turns. All turn_ arrays run alike',
    turn_role      Array(Enum8('customer' = 0, 'agent' = 1, 'bot' = 2, 'system' = 3)) COMMENT 'role of turns',
    turn_agent     Array(String) COMMENT 'agent_id of turns',
    turn_text      Array(String) COMMENT 'text of turns',
    turn_at        Array(Nullable(DateTime64(3, 'UTC'))) COMMENT 'at of turns',
    turn_auto      Array(Bool) COMMENT 'auto of turns',
    turn_emotion   Array(Enum8('satisfied' = 0, 'grateful' = 1, 'hopeful' = 2, 'apologetic' = 3, 'surprised' = 4, 'confused' = 5, 'urgent' = 6, 'worried' = 7, 'disappointed' = 8, 'aggrieved' = 9, 'angry' = 10, 'annoyed' = 11, 'neutral' = 12)) COMMENT 'emotion of turns',
    turn_polarity  Array(Float32) COMMENT 'polarity of turns',
    mention_turn   Array(Int64) COMMENT 'seq of mentions. All mention_ arrays run alike',
    mention_start  Array(UInt32) COMMENT 'start of mentions',
    mention_text   Array(String) COMMENT 'text of mentions',
    mention_opinion Array(String) COMMENT 'Opinion assigned, merges not resolved',
    hit_id         Array(String) COMMENT 'As in hits',
    hit_reason     Array(String) COMMENT 'reason of hits',
    evidence_hit   Array(UInt32) COMMENT 'Hit (counted from 1) of each piece of evidence',
    evidence_turn  Array(Int64) COMMENT 'seq of its turn',
    kept_from      DateTime64(3, 'UTC') COMMENT 'Time from which the retention of the session counts'
) ENGINE = {{replicated}}MergeTree PARTITION BY base ORDER BY session_id
SETTINGS index_granularity = 32, min_compress_block_size = 16384, max_compress_block_size = 65536
COMMENT 'What pages show of a few sessions: words and reasons, a copy that is read by id';

-- What session_texts should hold.
CREATE OR REPLACE VIEW session_text_rows AS
SELECT session_id, toDate(started_at, '{{timezone}}') AS day, shop, customer_id, turn_seq, turn_role, arrayMap((role, speaker) -> if(role = 'agent' AND speaker = '', agent, speaker), turn_role, speakers) AS turn_agent,
    turn_text, turn_at, turn_auto, turn_emotion, turn_polarity, mention_turn, mention_start, mention_text, mention_opinion, hit_id, hit_reason, evidence_hit, evidence_turn, kept_from
FROM (
    WITH (SELECT groupArray((`from`, `to`, run_id)) FROM (SELECT `from`, `to`, run_id FROM run_switches ORDER BY at DESC, run_id DESC)) AS switches
    SELECT session_id, started_at, shop, customer_id, agent_id AS agent, turn_seq, turn_role, turn_agent AS speakers, turn_text, turn_at, turn_auto, turn_emotion, turn_polarity,
        mention_turn, mention_start, mention_text, mention_opinion, hit_id, hit_reason, evidence_hit, evidence_turn, ifNull(ended_at, ifNull(started_at, written_at)) AS kept_from
    FROM analyses FINAL
    WHERE run_id = tupleElement(arrayFirst(s -> started_at BETWEEN s.1 AND s.2, switches), 3)
);

-- Who said it and where, so that lists of customers need not look the sessions up. Copies without it are made anew.
ALTER TABLE opinion_facts ADD COLUMN IF NOT EXISTS customer_id String COMMENT 'Keyed pseudonym of the customer';

ALTER TABLE opinion_facts ADD COLUMN IF NOT EXISTS shop LowCardinality(String) COMMENT 'Shop';

TRUNCATE TABLE IF EXISTS session_facts;

TRUNCATE TABLE IF EXISTS opinion_facts;
