-- What figures of people are worked out from: what kpi_cells reads of each session, copied in the order of time, since sessions
-- lie in analyses in the order of their ids and a day's cells read all of them. Kept like session_facts (0014), by a base of its
-- own: columns have the names and types of analyses, so that the program works out cells from the copy with the text of
-- the view.
CREATE TABLE IF NOT EXISTS kpi_inputs (
    base                 UInt64 COMMENT 'Copy that the row belongs to',
    gen                  UInt64 COMMENT 'As in session_facts',
    session_id           String COMMENT 'As in analyses, like all that follows',
    started_at           Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the session',
    kpi_since            DateTime64(3, 'UTC') COMMENT 'Earliest time in the session, 2299 without any',
    kpi_until            DateTime64(3, 'UTC') COMMENT 'Latest time in the session, 1970 without any',
    closed               Bool COMMENT 'Whether the session has ended',
    channel              LowCardinality(String) COMMENT 'Channel',
    source               LowCardinality(String) COMMENT 'Source system',
    shop                 LowCardinality(String) COMMENT 'Shop',
    business             LowCardinality(String) COMMENT 'Business',
    team                 LowCardinality(String) COMMENT 'Team that the session names',
    customer_id          String COMMENT 'Keyed pseudonym of the customer',
    agent_ids            Array(String) COMMENT 'Agents who took part',
    score                Nullable(Float64) COMMENT 'Score',
    attributes           Map(String, String) COMMENT 'The attribute invited alone',
    mention_aspect       Array(String) COMMENT 'Aspect of the first mention alone',
    hit_id               Array(String) COMMENT 'Hits: id',
    hit_agent            Array(String) COMMENT 'Hits: agent',
    hit_severity         Array(String) COMMENT 'Hits: severity',
    round_agent          Array(String) COMMENT 'Rounds: agent',
    round_asked_at       Array(Nullable(DateTime64(3, 'UTC'))) COMMENT 'Rounds: when the customer began to wait',
    round_reply          Array(Nullable(Int64)) COMMENT 'Rounds: seq of the reply',
    round_reply_ms       Array(Nullable(Int64)) COMMENT 'Rounds: time waited, ms',
    kpi_agent            String COMMENT 'Last agent',
    kpi_excused          Bool COMMENT 'The last round has automatic answers alone',
    kpi_first_ms         Nullable(Int64) COMMENT 'Wait of the first round after the last bot, ms',
    kpi_round_passer     Array(String) COMMENT 'Rounds: who spoke last before the reply of another agent',
    kpi_run_agent        Array(String) COMMENT 'Replies and customer turns by agent and quarter of an hour: agent',
    kpi_run_quarter      Array(Int32) COMMENT 'Quarter of an hour',
    kpi_run_replies      Array(UInt32) COMMENT 'Valid replies',
    kpi_run_questions    Array(UInt32) COMMENT 'Customer turns',
    kpi_reply_agent      Array(String) COMMENT 'Valid replies with a time: agent',
    kpi_reply_at         Array(DateTime64(3, 'UTC')) COMMENT 'Their times',
    kpi_message_agent    Array(String) COMMENT 'Customer turns as questions: agent',
    kpi_message_asked_at Array(Nullable(DateTime64(3, 'UTC'))) COMMENT 'When it was asked',
    kpi_message_ms       Array(Nullable(Int64)) COMMENT 'Time waited, ms',
    kpi_message_answered Array(Bool) COMMENT 'Whether there was a reply',
    kpi_auto_agent       Array(String) COMMENT 'Rounds that automatic replies end too: agent',
    kpi_auto_asked_at    Array(Nullable(DateTime64(3, 'UTC'))) COMMENT 'When the customer began to wait',
    kpi_auto_ms          Array(Nullable(Int64)) COMMENT 'Time waited, ms',
    kpi_auto_answered    Array(Bool) COMMENT 'Whether there was a reply',
    kept_from            DateTime64(3, 'UTC') COMMENT 'Time from which the retention of the session counts',
    INDEX until kpi_until TYPE minmax GRANULARITY 1
) ENGINE = {{replicated}}MergeTree PARTITION BY base ORDER BY (kpi_since, session_id)
SETTINGS index_granularity = 1024
COMMENT 'What figures of people are worked out from: a copy, in the order of time';

-- What kpi_inputs should hold.
CREATE OR REPLACE VIEW kpi_input_rows AS
WITH (SELECT groupArray((`from`, `to`, run_id)) FROM (SELECT `from`, `to`, run_id FROM run_switches ORDER BY at DESC, run_id DESC)) AS switches
SELECT session_id, started_at, kpi_since, kpi_until, closed, channel, source, shop, business, team, customer_id, agent_ids, score,
    mapFilter((k, v) -> k = 'invited', attributes) AS attributes, arraySlice(mention_aspect, 1, 1) AS mention_aspect, hit_id, hit_agent, hit_severity,
    round_agent, round_asked_at, round_reply, round_reply_ms, kpi_agent, kpi_excused, kpi_first_ms, kpi_round_passer,
    kpi_run_agent, kpi_run_quarter, kpi_run_replies, kpi_run_questions, kpi_reply_agent, kpi_reply_at,
    kpi_message_agent, kpi_message_asked_at, kpi_message_ms, kpi_message_answered, kpi_auto_agent, kpi_auto_asked_at, kpi_auto_ms, kpi_auto_answered,
    ifNull(ended_at, ifNull(started_at, written_at)) AS kept_from
FROM analyses FINAL
WHERE run_id = tupleElement(arrayFirst(s -> started_at BETWEEN s.1 AND s.2, switches), 3);

-- Customers and sessions are counted by their hashes, which costs a third of counting texts.
ALTER TABLE kpi_facts ADD COLUMN IF NOT EXISTS customer_key UInt64 DEFAULT cityHash64(customer) COMMENT 'Hash of customer, which distinct customers are counted by';

ALTER TABLE kpi_facts ADD COLUMN IF NOT EXISTS session_key UInt64 DEFAULT cityHash64(session_id) COMMENT 'Hash of session_id';
