-- What search reads: a copy of what was said, one row a turn, the newest day first, with an index of its words. Kept like
-- session_facts (0014), by a base of its own: it takes several times as long to make, and only search waits for it.
--
-- The indexes hold every two and every three characters that stand side by side in a text, so that words of two and of three
-- characters are found in them alone. Of longer words they say where all their parts stand. These may stand apart only where
-- some two characters come twice in the text (a part is joined to the next by the two characters that they share); such texts
-- are in the column again, to be read.
CREATE TABLE IF NOT EXISTS turn_facts (
    base       UInt64 COMMENT 'Copy that the row belongs to',
    gen        UInt64 COMMENT 'As in session_facts',
    newest     Int32 COMMENT 'Days before 1970-01-01, so that the newest day comes first; 0 without a day',
    session_id String COMMENT 'Session',
    position   UInt32 COMMENT 'Place of the turn in the session, from 1',
    session    UInt64 COMMENT 'Hash of session_id',
    day        Nullable(Date) COMMENT 'As in turns, like all that follows',
    role       LowCardinality(String) COMMENT 'Role',
    agent_id   LowCardinality(String) COMMENT 'Agent',
    shop       LowCardinality(String) COMMENT 'Shop',
    emotion    LowCardinality(String) COMMENT 'Emotion',
    closed     Bool COMMENT 'Whether the session has ended',
    text       String COMMENT 'What was said, masked',
    again      String COMMENT 'text where some two characters come twice in it, else empty',
    kept_from  DateTime64(3, 'UTC') COMMENT 'Time from which the retention of the session counts',
    INDEX pairs ngrams(lowerUTF8(text), 2) TYPE text(tokenizer = array),
    INDEX triples ngrams(lowerUTF8(text), 3) TYPE text(tokenizer = array)
) ENGINE = {{replicated}}MergeTree PARTITION BY base ORDER BY (newest, session_id, position)
COMMENT 'What was said, with an index of words: a copy, newest day first';

-- What turn_facts should hold: the rows of turn_marks.
CREATE OR REPLACE VIEW turn_fact_rows AS
SELECT -toInt32(ifNull(day, toDate('1970-01-01'))) AS newest, session_id, toUInt32(position) AS position, cityHash64(session_id) AS session, toDate(started_at, '{{timezone}}') AS day,
    role, if(role = 'agent' AND speaker = '', agent, speaker) AS agent_id, shop, emotion, closed, text,
    if(length(ngrams(lowerUTF8(text), 2) AS pairs_of_text) = length(arrayDistinct(pairs_of_text)), '', text) AS again, kept_from
FROM (
    WITH (SELECT groupArray((`from`, `to`, run_id)) FROM (SELECT `from`, `to`, run_id FROM run_switches ORDER BY at DESC, run_id DESC)) AS switches
    SELECT session_id, started_at, shop, closed, agent_id AS agent, turn_role, turn_agent, turn_text, turn_emotion, ifNull(ended_at, ifNull(started_at, written_at)) AS kept_from
    FROM analyses FINAL
    WHERE run_id = tupleElement(arrayFirst(s -> started_at BETWEEN s.1 AND s.2, switches), 3)
)
ARRAY JOIN turn_role AS role, turn_agent AS speaker, turn_text AS text, turn_emotion AS emotion, arrayEnumerate(turn_text) AS position;
