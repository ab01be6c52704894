-- The language of every turn. A view keeps the columns that its table had when it was made, so those between are made anew.
ALTER TABLE analyses ADD COLUMN IF NOT EXISTS turn_language Array(String) COMMENT 'zh, en, or empty where the turn has no words' AFTER turn_polarity;

-- What all views of sessions stand on: one row per session, of the run that is active for its start.
CREATE OR REPLACE VIEW active_analyses AS
WITH (SELECT groupArray((`from`, `to`, run_id)) FROM (SELECT `from`, `to`, run_id FROM run_switches ORDER BY at DESC, run_id DESC)) AS switches
SELECT *
FROM analyses FINAL
WHERE run_id = tupleElement(arrayFirst(s -> started_at BETWEEN s.1 AND s.2, switches), 3);

-- Sessions with the team and name that the imported agents had at their start, where the session names none.
CREATE OR REPLACE VIEW active_sessions AS
SELECT a.* EXCEPT (team, agent_name), if(a.team != '', a.team, g.team) AS team, if(a.agent_name != '', a.agent_name, g.name) AS agent_name, toDate(a.started_at, '{{timezone}}') AS day
FROM (SELECT *, if(agent_id != '', agent_id, agent_ids[1]) AS team_agent, ifNull(started_at, toDateTime64('2299-01-01', 3, 'UTC')) AS team_at FROM active_analyses) AS a
ASOF LEFT JOIN (SELECT agent_id, valid_from, name, team FROM agents FINAL) AS g ON g.agent_id = a.team_agent AND a.team_at >= g.valid_from;

CREATE OR REPLACE VIEW turns (
    session_id String COMMENT 'Session',
    seq        Int64 COMMENT 'Number of the turn; turns sent without one are numbered from 1 after the greatest sent',
    role       Enum8('customer' = 0, 'agent' = 1, 'bot' = 2, 'system' = 3) COMMENT 'customer, agent, bot, system',
    agent_id   String COMMENT 'Agent who speaks; of an agent turn without one the agent of the session',
    at         Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of the turn, null where unknown',
    text       String COMMENT 'Masked text',
    emotion    Enum8('satisfied' = 0, 'grateful' = 1, 'hopeful' = 2, 'apologetic' = 3, 'surprised' = 4, 'confused' = 5, 'urgent' = 6, 'worried' = 7, 'disappointed' = 8, 'aggrieved' = 9, 'angry' = 10, 'annoyed' = 11, 'neutral' = 12) COMMENT 'Strongest emotion: one of twelve, or neutral',
    polarity   Float32 COMMENT 'Polarity, -1..1',
    auto       Bool COMMENT 'Automatic reply',
    start_ms   Nullable(Int64) COMMENT 'Calls: start in the recording, ms',
    end_ms     Nullable(Int64) COMMENT 'Calls: end in the recording, ms',
    confidence Nullable(Float64) COMMENT 'Confidence of speech recognition, 0..1',
    position   UInt32 COMMENT 'Place in the session, from 1',
    day        Nullable(Date) COMMENT 'Day of the start of the session in the configured timezone',
    shop       String COMMENT 'Shop',
    closed     Bool COMMENT 'Whether the session has ended',
    language   String COMMENT 'zh, en, or empty where the turn has no words'
) AS
SELECT session_id, seq, role, if(role = 'agent' AND speaker = '', agent, speaker) AS agent_id, at, text, emotion, polarity, auto, start_ms, end_ms, confidence, position,
    toDate(started_at, '{{timezone}}') AS day, shop, closed, language
FROM (SELECT session_id, started_at, shop, closed, agent_id AS agent, turn_seq, turn_role, turn_agent, turn_at, turn_text, turn_emotion, turn_polarity, turn_auto, turn_start_ms, turn_end_ms, turn_confidence,
        arrayResize(turn_language, length(turn_seq)) AS turn_language FROM active_analyses)
ARRAY JOIN turn_seq AS seq, turn_role AS role, turn_agent AS speaker, turn_at AS at, turn_text AS text, turn_emotion AS emotion,
    turn_polarity AS polarity, turn_auto AS auto, turn_start_ms AS start_ms, turn_end_ms AS end_ms, turn_confidence AS confidence,
    turn_language AS language, arrayEnumerate(turn_seq) AS position;
