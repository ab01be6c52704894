-- Lists count the rules that sessions broke and the sessions that wait for a decision, over all sessions of their filters: from six
-- arrays of hits that took nine tenths of the time. Rows from before know both, too, worked out when they are read until they
-- are materialised.
ALTER TABLE session_facts ADD COLUMN IF NOT EXISTS broken Array(LowCardinality(String))
    MATERIALIZED arrayDistinct(arrayFilter((rule, outcome, points, severity) -> outcome = 'fail' OR points < 0 OR severity IN ('minor', 'major', 'critical'), hit_rule, hit_outcome, hit_points, hit_severity))
    COMMENT 'Rules of hits that are something that went wrong, each once';

ALTER TABLE session_facts ADD COLUMN IF NOT EXISTS undecided Bool
    MATERIALIZED arrayExists((outcome, points, severity, decision) -> (outcome = 'fail' OR points < 0 OR severity IN ('minor', 'major', 'critical')) AND severity != 'info' AND decision = '', hit_outcome, hit_points, hit_severity, hit_decision)
    COMMENT 'Whether there is a hit that is something that went wrong, more than info, on which nobody has decided';

ALTER TABLE session_facts MATERIALIZE COLUMN broken;

ALTER TABLE session_facts MATERIALIZE COLUMN undecided;
