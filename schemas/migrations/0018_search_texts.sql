-- Search reads every text, so its view names no array that it does not need: ARRAY JOIN reads all that it is given. As in
-- turns, like all its columns.
CREATE OR REPLACE VIEW turn_marks AS
SELECT session_id, position, role, if(role = 'agent' AND speaker = '', agent, speaker) AS agent_id, text, emotion, toDate(started_at, '{{timezone}}') AS day, shop, closed
FROM (
    WITH (SELECT groupArray((`from`, `to`, run_id)) FROM (SELECT `from`, `to`, run_id FROM run_switches ORDER BY at DESC, run_id DESC)) AS switches
    SELECT session_id, started_at, shop, closed, agent_id AS agent, turn_role, turn_agent, turn_text, turn_emotion
    FROM analyses FINAL
    WHERE run_id = tupleElement(arrayFirst(s -> started_at BETWEEN s.1 AND s.2, switches), 3)
)
ARRAY JOIN turn_role AS role, turn_agent AS speaker, turn_text AS text, turn_emotion AS emotion, arrayEnumerate(turn_text) AS position;
