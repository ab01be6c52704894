-- Ids of sessions are spread over every part, so a session was read from a granule of each part, whole arrays of it. The
-- filter leaves the one or two parts that hold it.
ALTER TABLE analyses ADD INDEX IF NOT EXISTS by_session session_id TYPE bloom_filter(0.01) GRANULARITY 1;

ALTER TABLE analyses MATERIALIZE INDEX by_session;
