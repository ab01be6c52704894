-- Narrow views for figures over many sessions. A view with ARRAY JOIN reads every array that it names, texts included, for
-- each session of the store, whatever is selected from it; and each layer of a view that passes on a hundred columns takes
-- 10 to 20 ms of planning. These read what figures need and nothing else, in one layer. Their columns are those of the public
-- views of the same rows, which stay the contract for people.

-- Sessions without the team of imported agents and without what reviewers did: neither join is made.
CREATE OR REPLACE VIEW session_marks (
    session_id     String COMMENT 'Session',
    started_at     Nullable(DateTime64(3, 'UTC')) COMMENT 'As in sessions',
    ended_at       Nullable(DateTime64(3, 'UTC')) COMMENT 'As in sessions',
    state          String COMMENT 'open or closed',
    channel        String COMMENT 'Channel',
    source         String COMMENT 'Source system',
    shop           String COMMENT 'Shop',
    business       String COMMENT 'As in sessions',
    skill_group    String COMMENT 'Skill group',
    product        String COMMENT 'Product the session is about',
    customer_id    String COMMENT 'Keyed pseudonym of the customer',
    agent_id       String COMMENT 'Agent that the session message names',
    agent_ids      Array(String) COMMENT 'Distinct agents in order of their first turn',
    turns          UInt32 COMMENT 'Number of turns',
    customer_turns UInt32 COMMENT 'Number of customer turns',
    agent_turns    UInt32 COMMENT 'Number of agent turns',
    rounds         UInt32 COMMENT 'Number of rounds',
    unanswered     UInt32 COMMENT 'Rounds without a reply',
    first_reply_ms Nullable(Int64) COMMENT 'First valid reply after the first customer turn, ms',
    avg_reply_ms   Nullable(Float64) COMMENT 'Mean wait of the answered rounds, ms',
    score          Nullable(Float64) COMMENT 'Score by the rules, 0..100',
    experience     Float64 COMMENT 'Predicted satisfaction of the customer, -1..1',
    flagged        Bool COMMENT 'Goes to the review queue',
    severity       String COMMENT 'Strongest severity among the hits',
    emotion_start  String COMMENT 'Emotion of the first customer turn',
    emotion_end    String COMMENT 'Emotion of the last customer turn',
    day            Nullable(Date) COMMENT 'Day of started_at in the configured timezone'
) AS
WITH (SELECT groupArray((`from`, `to`, run_id)) FROM (SELECT `from`, `to`, run_id FROM run_switches ORDER BY at DESC, run_id DESC)) AS switches
SELECT session_id, started_at, ended_at, if(closed, 'closed', 'open') AS state, channel, source, shop, business, skill_group, product, customer_id, agent_id, agent_ids,
    fact_turns AS turns, fact_customer_turns AS customer_turns, fact_agent_turns AS agent_turns, fact_rounds AS rounds, fact_unanswered AS unanswered,
    fact_first_reply_ms AS first_reply_ms, fact_avg_reply_ms AS avg_reply_ms, score, experience, flagged, severity, emotion_start, emotion_end,
    toDate(started_at, '{{timezone}}') AS day
FROM analyses FINAL
WHERE run_id = tupleElement(arrayFirst(s -> started_at BETWEEN s.1 AND s.2, switches), 3);

-- The same with the team.
CREATE OR REPLACE VIEW session_heads AS
SELECT a.session_id AS session_id, a.started_at AS started_at, a.ended_at AS ended_at, a.state AS state, a.channel AS channel, a.source AS source, a.shop AS shop,
    a.business AS business, a.skill_group AS skill_group, a.product AS product, a.customer_id AS customer_id, a.agent_id AS agent_id, a.agent_ids AS agent_ids,
    a.turns AS turns, a.customer_turns AS customer_turns, a.agent_turns AS agent_turns, a.rounds AS rounds, a.unanswered AS unanswered,
    a.first_reply_ms AS first_reply_ms, a.avg_reply_ms AS avg_reply_ms, a.score AS score, a.experience AS experience, a.flagged AS flagged, a.severity AS severity,
    a.emotion_start AS emotion_start, a.emotion_end AS emotion_end, a.day AS day, if(a.named_team != '', a.named_team, g.team) AS team
FROM (
    WITH (SELECT groupArray((`from`, `to`, run_id)) FROM (SELECT `from`, `to`, run_id FROM run_switches ORDER BY at DESC, run_id DESC)) AS switches
    SELECT session_id, started_at, ended_at, if(closed, 'closed', 'open') AS state, channel, source, shop, business, skill_group, product, customer_id, agent_id, agent_ids,
        fact_turns AS turns, fact_customer_turns AS customer_turns, fact_agent_turns AS agent_turns, fact_rounds AS rounds, fact_unanswered AS unanswered,
        fact_first_reply_ms AS first_reply_ms, fact_avg_reply_ms AS avg_reply_ms, score, experience, flagged, severity, emotion_start, emotion_end,
        toDate(started_at, '{{timezone}}') AS day, team AS named_team,
        if(agent_id != '', agent_id, agent_ids[1]) AS team_agent, ifNull(started_at, toDateTime64('2299-01-01', 3, 'UTC')) AS team_at
    FROM analyses FINAL
    WHERE run_id = tupleElement(arrayFirst(s -> started_at BETWEEN s.1 AND s.2, switches), 3)
) AS a
ASOF LEFT JOIN (SELECT agent_id, valid_from, team FROM agents FINAL) AS g ON g.agent_id = a.team_agent AND a.team_at >= g.valid_from;

-- Turns without their words.
CREATE OR REPLACE VIEW turn_marks AS
SELECT session_id, seq, role, emotion, polarity, toDate(started_at, '{{timezone}}') AS day, shop, channel, closed
FROM (
    WITH (SELECT groupArray((`from`, `to`, run_id)) FROM (SELECT `from`, `to`, run_id FROM run_switches ORDER BY at DESC, run_id DESC)) AS switches
    SELECT session_id, started_at, shop, channel, closed, turn_seq, turn_role, turn_emotion, turn_polarity
    FROM analyses FINAL
    WHERE run_id = tupleElement(arrayFirst(s -> started_at BETWEEN s.1 AND s.2, switches), 3)
)
ARRAY JOIN turn_seq AS seq, turn_role AS role, turn_emotion AS emotion, turn_polarity AS polarity;

-- Mentions without their words, their places and their opinion.
CREATE OR REPLACE VIEW mention_marks AS
SELECT session_id, kind, aspect, valuable, product, customer_id, toDate(started_at, '{{timezone}}') AS day, shop, channel, closed
FROM (
    WITH (SELECT groupArray((`from`, `to`, run_id)) FROM (SELECT `from`, `to`, run_id FROM run_switches ORDER BY at DESC, run_id DESC)) AS switches
    SELECT session_id, started_at, shop, channel, customer_id, closed, mention_kind, mention_aspect, mention_valuable, mention_product
    FROM analyses FINAL
    WHERE run_id = tupleElement(arrayFirst(s -> started_at BETWEEN s.1 AND s.2, switches), 3)
)
ARRAY JOIN mention_kind AS kind, mention_aspect AS aspect, mention_valuable AS valuable, mention_product AS product;

-- What opinions are counted by: the opinion of each mention that has one, merges resolved, and nothing else.
CREATE OR REPLACE VIEW opinion_marks AS
WITH (SELECT (groupArray(opinion_id), groupArray(target_id)) FROM (SELECT opinion_id, target_id FROM opinion_redirects ORDER BY opinion_id)) AS merged
SELECT session_id, customer_id, shop, toDate(started_at, '{{timezone}}') AS day,
    if(empty(merged.1), opinion, transform(opinion, arrayPushBack(merged.1, ''), arrayPushBack(merged.2, ''), opinion)) AS opinion_id
FROM (
    WITH (SELECT groupArray((`from`, `to`, run_id)) FROM (SELECT `from`, `to`, run_id FROM run_switches ORDER BY at DESC, run_id DESC)) AS switches
    SELECT session_id, started_at, shop, customer_id, mention_opinion
    FROM analyses FINAL
    WHERE run_id = tupleElement(arrayFirst(s -> started_at BETWEEN s.1 AND s.2, switches), 3)
)
ARRAY JOIN mention_opinion AS opinion
WHERE opinion != '';

-- Hits without their evidence, their reason and what reviewers did.
CREATE OR REPLACE VIEW hit_marks AS
SELECT session_id, hit_id, rule_id, agent_id, outcome, severity, points, toDate(started_at, '{{timezone}}') AS day, shop, channel, closed
FROM (
    WITH (SELECT groupArray((`from`, `to`, run_id)) FROM (SELECT `from`, `to`, run_id FROM run_switches ORDER BY at DESC, run_id DESC)) AS switches
    SELECT session_id, started_at, shop, channel, closed, hit_id, hit_rule, hit_agent, hit_outcome, hit_severity, hit_points
    FROM analyses FINAL
    WHERE run_id = tupleElement(arrayFirst(s -> started_at BETWEEN s.1 AND s.2, switches), 3)
)
ARRAY JOIN hit_id, hit_rule AS rule_id, hit_agent AS agent_id, hit_outcome AS outcome, hit_severity AS severity, hit_points AS points;
