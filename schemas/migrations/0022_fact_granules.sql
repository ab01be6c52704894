-- A list shows fifty sessions from anywhere in a month, and read 8192 rows for each: in granules of 512 rows it reads a
-- sixteenth. A table cannot change its granules, and this one is a copy: it is made anew, empty, and filled by the next page.
TRUNCATE TABLE IF EXISTS fact_bases;

TRUNCATE TABLE IF EXISTS fact_moves;

TRUNCATE TABLE IF EXISTS opinion_facts;

DROP TABLE IF EXISTS session_facts SYNC;

CREATE TABLE IF NOT EXISTS session_facts (
    base          UInt64 COMMENT 'Copy that the row belongs to',
    gen           UInt64 COMMENT '0 = made with the base, else the change that brought the row',
    session_id    String COMMENT 'Session',
    day           Nullable(Date) COMMENT 'As in sessions',
    since_day     Date COMMENT 'Day of the earliest time in the session',
    until_day     Date COMMENT 'Day of the latest time in the session',
    started_at    Nullable(DateTime64(3, 'UTC')) COMMENT 'As in sessions',
    ended_at      Nullable(DateTime64(3, 'UTC')) COMMENT 'As in sessions',
    state         LowCardinality(String) COMMENT 'As in sessions',
    channel       LowCardinality(String) COMMENT 'As in sessions',
    source        LowCardinality(String) COMMENT 'As in sessions',
    shop          LowCardinality(String) COMMENT 'As in sessions',
    business      LowCardinality(String) COMMENT 'As in sessions',
    team          LowCardinality(String) COMMENT 'As in sessions',
    agent_id      LowCardinality(String) COMMENT 'As in sessions',
    agent_ids     Array(LowCardinality(String)) COMMENT 'As in sessions',
    agent_name    LowCardinality(String) COMMENT 'As in sessions',
    customer_id   String COMMENT 'As in sessions',
    product       LowCardinality(String) COMMENT 'As in sessions',
    turns         UInt32 COMMENT 'As in sessions',
    score         Nullable(Float64) COMMENT 'As in sessions',
    experience    Float64 COMMENT 'As in sessions',
    flagged       Bool COMMENT 'As in sessions',
    severity      LowCardinality(String) COMMENT 'As in sessions',
    emotion_start LowCardinality(String) COMMENT 'As in sessions',
    emotion_end   LowCardinality(String) COMMENT 'As in sessions',
    final_score   Nullable(Float64) COMMENT 'As in sessions',
    reviewed      Bool COMMENT 'As in sessions',
    assignee      LowCardinality(String) COMMENT 'As in sessions',
    open_appeals  UInt32 COMMENT 'As in sessions',
    conflicts     UInt32 COMMENT 'As in sessions',
    opening       String COMMENT 'First words of the customer, at most 200 characters',
    opening_seq   Int64 COMMENT 'seq of that turn, 0 without one',
    heard         Array(LowCardinality(String)) COMMENT 'Emotions of the customer turns, each once',
    heard_turns   Array(UInt32) COMMENT 'Customer turns with each of them',
    hit_id        Array(String) COMMENT 'As in hits. All hit_ arrays run alike',
    hit_rule      Array(LowCardinality(String)) COMMENT 'rule_id of hits',
    hit_version   Array(LowCardinality(String)) COMMENT 'rule_version of hits',
    hit_agent     Array(LowCardinality(String)) COMMENT 'agent_id of hits',
    hit_outcome   Array(LowCardinality(String)) COMMENT 'outcome of hits',
    hit_severity  Array(LowCardinality(String)) COMMENT 'severity of hits',
    hit_points    Array(Float64) COMMENT 'points of hits',
    hit_decision  Array(LowCardinality(String)) COMMENT 'decision of hits',
    hit_state     Array(LowCardinality(String)) COMMENT 'state of hits',
    hit_conflict  Array(Bool) COMMENT 'conflict of hits',
    hit_appeals   Array(UInt32) COMMENT 'appeals of hits',
    mention_opinion  Array(LowCardinality(String)) COMMENT 'Opinion assigned, merges not resolved. All mention_ arrays run alike',
    mention_kind     Array(LowCardinality(String)) COMMENT 'kind of mentions',
    mention_aspect   Array(LowCardinality(String)) COMMENT 'aspect of mentions',
    mention_product  Array(LowCardinality(String)) COMMENT 'product of mentions',
    mention_valuable Array(Bool) COMMENT 'valuable of mentions',
    round_agent      Array(LowCardinality(String)) COMMENT 'agent_id of rounds. All round_ arrays run alike',
    round_day        Array(Nullable(Date)) COMMENT 'day of rounds',
    round_reply_ms   Array(Nullable(Int64)) COMMENT 'reply_ms of rounds',
    round_first      Array(Bool) COMMENT 'first of rounds',
    round_timed      Array(Bool) COMMENT 'Counts in within_180s: answered in a known time, or unanswered and of a known time',
    outcome_rule     Array(LowCardinality(String)) COMMENT 'rule_id of outcomes. The outcome_ arrays run alike',
    outcome_value    Array(LowCardinality(String)) COMMENT 'outcome of outcomes',
    kept_from        DateTime64(3, 'UTC') DEFAULT ifNull(ended_at, ifNull(started_at, now64(3))) COMMENT 'Time from which the retention of the session counts'
) ENGINE = {{replicated}}MergeTree PARTITION BY base ORDER BY (day, session_id)
SETTINGS allow_nullable_key = 1, index_granularity = 512, min_compress_block_size = 16384, max_compress_block_size = 65536
COMMENT 'What the pages read of each session: a copy, in the order of days';

-- The new table keeps its rows for ever until a retention is applied to it.
INSERT INTO settings (name, value) VALUES ('retention session_facts', '0');

ALTER TABLE opinion_facts ADD COLUMN IF NOT EXISTS kept_from DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'As in session_facts';
