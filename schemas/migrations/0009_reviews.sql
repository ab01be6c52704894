-- Reviews: what people decided, folded in the order of the events, and what it does to scores.

-- What a hit and an item weigh, so that a score can be worked out again without some of the hits.
ALTER TABLE analyses ADD COLUMN IF NOT EXISTS hit_takes Array(Float64) COMMENT 'What the rule of each hit takes off the score before its cap, or off its scorecard item; above 0 what an achievement adds to its item' AFTER hit_reason;
ALTER TABLE analyses ADD COLUMN IF NOT EXISTS hit_cap Array(Float64) COMMENT 'Least sum of points of the rule in a session, 0 for none' AFTER hit_takes;
ALTER TABLE analyses ADD COLUMN IF NOT EXISTS hit_item Array(String) COMMENT 'scorecard.item that the rule counts in instead of the score, empty for none' AFTER hit_cap;
ALTER TABLE analyses ADD COLUMN IF NOT EXISTS hit_critical Array(String) COMMENT 'What the hit sets to 0: item, group (its scorecard), whole (the score and all scorecards), or empty' AFTER hit_item;
ALTER TABLE analyses ADD COLUMN IF NOT EXISTS item_weight Array(Float64) COMMENT 'Share of each item in its scorecard' AFTER item_human;
ALTER TABLE analyses ADD COLUMN IF NOT EXISTS item_base Array(Float64) COMMENT 'Points the item would reach without any hit; may be below 0' AFTER item_weight;
ALTER TABLE analyses ADD COLUMN IF NOT EXISTS item_locked Array(Bool) COMMENT 'Something that is no hit sets the whole scorecard to 0' AFTER item_base;

ALTER TABLE review_events MODIFY COLUMN action String COMMENT 'On a hit: confirm, dismiss, appeal, uphold, overturn. On a session: score (an item), assign, done, reopen. On either: note';
ALTER TABLE review_events ADD COLUMN IF NOT EXISTS final Bool COMMENT 'uphold and overturn: nothing follows it' AFTER note;
ALTER TABLE review_events ADD COLUMN IF NOT EXISTS due Nullable(DateTime64(3, 'UTC')) COMMENT 'confirm and uphold: until when the agent may appeal against it' AFTER final;
ALTER TABLE review_events ADD COLUMN IF NOT EXISTS assignee String COMMENT 'assign: who is to review the session, empty for nobody' AFTER due;
ALTER TABLE review_events ADD COLUMN IF NOT EXISTS method String COMMENT 'assign: hand, ratio or round_robin' AFTER assignee;

-- A decision is a person's work: it survives a power loss where the configuration asks for that.
ALTER TABLE review_events MODIFY SETTING fsync_after_insert = {{fsync}}, fsync_part_directory = {{fsync}};

-- What the events of a session come to, so that a page need not fold them: a copy of the view review_folds, made after each
-- append from what is in the table then. Of two writers at least the later one sees the events of both, and has counted more.
CREATE TABLE IF NOT EXISTS review_states (
    session_id    String COMMENT 'Session',
    version       UInt64 COMMENT 'Number of events folded, remarks aside; the greatest wins',
    hit_states    Array(Tuple(hit_id String, state String, decision String, conflict Bool, final Bool, decided_at Nullable(DateTime64(3, 'UTC')), appeal_until Nullable(DateTime64(3, 'UTC')), appeals UInt32)) COMMENT 'Hits that anybody has acted on',
    void_hits     Array(String) COMMENT 'Hits that count no longer: dismissed or overturned',
    decided_hits  Array(String) COMMENT 'Hits that are no longer undecided',
    appealed_hits Array(String) COMMENT 'Hits with an open appeal',
    conflict_hits Array(String) COMMENT 'Hits whose last decision is in conflict',
    scored_items  Array(String) COMMENT 'Scorecard items that people have scored, scorecard.item',
    scored_points Array(Float64) COMMENT 'Points of each of them',
    assignee      String COMMENT 'Who is to review the session, empty for nobody',
    done          Bool COMMENT 'A reviewer has said that nothing is left to do'
) ENGINE = {{replicated}}ReplacingMergeTree(version) ORDER BY session_id
COMMENT 'States of reviews: the fold of review_events, for the views';

-- A view keeps the columns that its table had when it was made, so those between are made anew.
CREATE OR REPLACE VIEW active_analyses AS
WITH (SELECT groupArray((`from`, `to`, run_id)) FROM (SELECT `from`, `to`, run_id FROM run_switches ORDER BY at DESC, run_id DESC)) AS switches
SELECT *
FROM analyses FINAL
WHERE run_id = tupleElement(arrayFirst(s -> started_at BETWEEN s.1 AND s.2, switches), 3);

CREATE OR REPLACE VIEW active_sessions AS
SELECT a.* EXCEPT (team, agent_name), if(a.team != '', a.team, g.team) AS team, if(a.agent_name != '', a.agent_name, g.name) AS agent_name, toDate(a.started_at, '{{timezone}}') AS day
FROM (SELECT *, if(agent_id != '', agent_id, agent_ids[1]) AS team_agent, ifNull(started_at, toDateTime64('2299-01-01', 3, 'UTC')) AS team_at FROM active_analyses) AS a
ASOF LEFT JOIN (SELECT agent_id, valid_from, name, team FROM agents FINAL) AS g ON g.agent_id = a.team_agent AND a.team_at >= g.valid_from;

-- The state of each hit that anybody has acted on: the fold of its events in the order of their ids. States are numbered
-- like the actions that lead to them: 1 confirm, 2 dismiss, 3 appeal, 4 uphold, 5 overturn; 0 is undecided.
-- An action that the state does not allow (two servers took one each at the same time) stays in the trail without effect.
-- A decision that had not seen the event before it, or that had no effect, is in conflict until the next decision.
CREATE OR REPLACE VIEW review_hits (
    session_id   String COMMENT 'Session',
    hit_id       String COMMENT 'Hit; it may no longer be found',
    state        String COMMENT 'undecided, confirmed, dismissed, appealed, upheld, overturned',
    decision     String COMMENT 'Action that led to the state: confirm, dismiss, appeal, uphold, overturn; empty for none',
    final        Bool COMMENT 'Nothing follows: the judgement ended it',
    conflict     Bool COMMENT 'The last decision had not seen what was before it',
    decided_by   String COMMENT 'Who led to the state',
    decided_at   Nullable(DateTime64(3, 'UTC')) COMMENT 'When',
    appeal_until Nullable(DateTime64(3, 'UTC')) COMMENT 'Until when the agent may appeal; null where there is nothing to appeal against',
    appeals      UInt32 COMMENT 'Appeals that had an effect',
    last_event   String COMMENT 'Last event of the hit, remarks aside',
    last_decision String COMMENT 'Last decision: confirm, dismiss, uphold or overturn',
    deciders     Array(String) COMMENT 'Who has decided anything about the hit, sorted',
    void_events  Array(String) COMMENT 'Events without an effect',
    folded       UInt64 COMMENT 'Number of its events'
) AS
SELECT session_id, hit_id,
    ['undecided', 'confirmed', 'dismissed', 'appealed', 'upheld', 'overturned'][fold.1 + 1] AS state,
    ['', 'confirm', 'dismiss', 'appeal', 'uphold', 'overturn'][fold.1 + 1] AS decision,
    fold.2 AS final, fold.3 AS conflict,
    if(fold.4 = 0, '', events[fold.4].6) AS decided_by,
    if(fold.4 = 0, NULL, events[fold.4].7) AS decided_at,
    if(fold.1 IN (1, 4) AND NOT fold.2, events[fold.4].8, NULL) AS appeal_until,
    toUInt32(arrayCount((e, ok) -> e.2 = 3 AND ok, events, fold.5)) AS appeals,
    events[-1].1 AS last_event,
    arrayLast(e -> e.2 != 3, events).1 AS last_decision,
    arraySort(arrayDistinct(arrayMap(e -> e.6, arrayFilter(e -> e.2 != 3, events)))) AS deciders,
    arrayMap(e -> e.1, arrayFilter((e, ok) -> NOT ok, events, fold.5)) AS void_events,
    length(events) AS folded
FROM (
    SELECT session_id, hit_id,
        arraySort(groupArray((event_id, code, seen, final, '', actor, at, due))) AS events,
        arrayMap((e, i) -> (e.2, e.4, i > 1 AND e.3 < events[toInt64(i) - 1].1, i), events, arrayEnumerate(events)) AS steps,
        arrayFold((acc, e) -> (
                if(multiIf(e.1 <= 2, acc.1 <= 2, e.1 = 3, acc.1 <= 1 OR acc.1 = 4 AND NOT acc.2, acc.1 >= 3) AS ok, e.1, acc.1),
                if(ok AND e.1 >= 4, e.2, acc.2),
                if(e.1 = 3, acc.3, e.3 OR NOT ok),
                if(ok, e.4, acc.4),
                arrayPushBack(acc.5, ok)
            ), steps, (toUInt8(0), false, false, toUInt32(0), emptyArrayUInt8())) AS fold
    FROM (
        SELECT session_id, hit_id, event_id, seen, final, actor, at, due, toUInt8(indexOf(['confirm', 'dismiss', 'appeal', 'uphold', 'overturn'], action)) AS code
        FROM review_events FINAL
        WHERE hit_id != '' AND code > 0
    )
    GROUP BY session_id, hit_id
);

-- What reviews say of each session as a whole: the rows of review_states as they should be.
CREATE OR REPLACE VIEW review_folds AS
SELECT session_id, sum(folded) AS version,
    groupArrayIf((hit_id, state, decision, conflict, final, decided_at, appeal_until, appeals), hit_id != '') AS hit_states,
    groupArrayIf(hit_id, state IN ('dismissed', 'overturned')) AS void_hits,
    groupArrayIf(hit_id, state NOT IN ('', 'undecided')) AS decided_hits,
    groupArrayIf(hit_id, state = 'appealed') AS appealed_hits,
    groupArrayIf(hit_id, conflict) AS conflict_hits,
    groupArrayIf(item, isNotNull(points)) AS scored_items,
    groupArrayIf(assumeNotNull(points), isNotNull(points)) AS scored_points,
    max(assigned_to) AS assignee, max(finished) AS done
FROM (
    SELECT session_id, folded, hit_id, state, decision, conflict, final, decided_at, appeal_until, appeals, '' AS item, CAST(NULL, 'Nullable(Float64)') AS points, '' AS assigned_to, false AS finished
    FROM review_hits
    UNION ALL
    -- Of the points given to an item the last count; null takes them back.
    SELECT session_id, count() AS folded, '' AS hit_id, '' AS state, '' AS decision, false AS conflict, false AS final, NULL AS decided_at, NULL AS appeal_until, 0 AS appeals,
        item, tupleElement(argMax(tuple(points), event_id), 1) AS points, '' AS assigned_to, false AS finished
    FROM review_events FINAL
    WHERE action = 'score' AND item != ''
    GROUP BY session_id, item
    UNION ALL
    SELECT session_id, count() AS folded, '' AS hit_id, '' AS state, '' AS decision, false AS conflict, false AS final, NULL AS decided_at, NULL AS appeal_until, 0 AS appeals,
        '' AS item, NULL AS points, argMaxIf(assignee, event_id, action = 'assign') AS assigned_to, argMaxIf(action, event_id, action IN ('done', 'reopen')) = 'done' AS finished
    FROM review_events FINAL
    WHERE action IN ('assign', 'done', 'reopen')
    GROUP BY session_id
)
GROUP BY session_id;

CREATE OR REPLACE VIEW reviews (
    session_id String COMMENT 'Session',
    event_id   String COMMENT 'Identity of the event; events count in this order',
    seen       String COMMENT 'Last event that the page had shown to the actor',
    hit_id     String COMMENT 'Hit, or empty for the session as a whole',
    actor      String COMMENT 'Who',
    action     String COMMENT 'On a hit: confirm, dismiss, appeal, uphold, overturn. On a session: score (an item), assign, done, reopen. On either: note',
    note       String COMMENT 'Remark, reason of an appeal or of a decision; masked',
    at         DateTime64(3, 'UTC') COMMENT 'When',
    conflict   Bool COMMENT 'A decision, or points, made without having seen the one before, and no later one has resolved it',
    item       String COMMENT 'score: the item, scorecard.item',
    points     Nullable(Float64) COMMENT 'score: points given to it; null takes them back',
    effective  Bool COMMENT 'Whether it changed anything; false where the state of the hit did not allow it (any more)',
    final      Bool COMMENT 'uphold and overturn: nothing follows it',
    due        Nullable(DateTime64(3, 'UTC')) COMMENT 'confirm and uphold: until when the agent may appeal against it',
    assignee   String COMMENT 'assign: who is to review the session, empty for nobody',
    method     String COMMENT 'assign: hand, ratio or round_robin'
) AS
SELECT e.session_id AS session_id, e.event_id AS event_id, seen, e.hit_id AS hit_id, actor, action, note, at,
    if(action = 'score', item != '' AND previous != '' AND seen < previous AND next = '', h.conflict AND e.event_id = h.last_decision) AS conflict,
    item, points, NOT has(h.void_events, e.event_id) AND NOT (e.hit_id = '' AND action IN ('confirm', 'dismiss', 'appeal', 'uphold', 'overturn')) AS effective, final, due, assignee, method
FROM (
    SELECT *,
        lagInFrame(event_id) OVER (PARTITION BY session_id, item, action ORDER BY event_id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS previous,
        leadInFrame(event_id) OVER (PARTITION BY session_id, item, action ORDER BY event_id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS next
    FROM review_events FINAL
) AS e
LEFT JOIN (SELECT session_id, hit_id, conflict, last_decision, void_events FROM review_hits) AS h ON h.session_id = e.session_id AND h.hit_id = e.hit_id;

CREATE OR REPLACE VIEW hits (
    session_id    String COMMENT 'Session',
    hit_id        String COMMENT 'Identity of the hit, the same in reruns',
    rule_id       String COMMENT 'Rule',
    rule_version  String COMMENT 'Version of the rule',
    agent_id      String COMMENT 'Agent of the evidence; of an absence the agent nearest the searched range',
    outcome       String COMMENT 'pass, fail, na, present, absent',
    severity      String COMMENT 'info, minor, major, critical',
    points        Float64 COMMENT 'Points added to the score',
    evidence_seqs Array(Int64) COMMENT 'seq of the turns it rests on',
    reason        String COMMENT 'Why it was found',
    decision      String COMMENT 'What led to its state: confirm, dismiss, appeal, uphold, overturn; empty while undecided',
    day           Nullable(Date) COMMENT 'Day of the start of the session in the configured timezone',
    shop          String COMMENT 'Shop',
    team          String COMMENT 'Team of the session',
    closed        Bool COMMENT 'Whether the session has ended',
    evidence      Array(Tuple(seq Int64, start UInt32, end UInt32)) COMMENT 'Places it rests on: seq of the turn, first byte in its text and byte after the last',
    state         String COMMENT 'undecided, confirmed, dismissed, appealed, upheld (the appeal was lost), overturned (won); dismissed and overturned hits do not count in the final score',
    conflict      Bool COMMENT 'The last decision had not seen the one before it; another one resolves it',
    final         Bool COMMENT 'The judgement of an appeal ended it, nothing follows',
    decided_at    Nullable(DateTime64(3, 'UTC')) COMMENT 'When it came to its state, null while undecided',
    appeal_until  Nullable(DateTime64(3, 'UTC')) COMMENT 'Until when its agent may appeal against the decision; null while undecided, then review.appeal_days after the end of the session, and where there is nothing to appeal against',
    appeals       UInt32 COMMENT 'How often it was appealed, twice at most',
    item          String COMMENT 'scorecard.item that it counts in instead of the score, else empty'
) AS
SELECT session_id, hit_id, rule_id, rule_version, agent_id, outcome, severity, points,
    arrayFilter((t, h) -> h = number, evidence_turn, evidence_hit) AS evidence_seqs,
    reason, review.decision AS decision, toDate(started_at, '{{timezone}}') AS day, shop, team, closed,
    arrayFilter((e, h) -> h = number, arrayZip(evidence_turn, evidence_start, evidence_end), evidence_hit)::Array(Tuple(seq Int64, start UInt32, end UInt32)) AS evidence,
    if(review.state = '', 'undecided', review.state) AS state, review.conflict AS conflict, review.final AS final, review.decided_at AS decided_at, review.appeal_until AS appeal_until,
    review.appeals AS appeals, item
FROM (
    -- The run and the team as in active_sessions, from few columns: that view plans a hundred.
    SELECT a.session_id AS session_id, started_at, shop, if(own_team != '', own_team, g.team) AS team, closed, hit_id, hit_rule, hit_rule_version, hit_agent, hit_outcome, hit_severity, hit_points, hit_reason,
        evidence_turn, evidence_start, evidence_end, evidence_hit, arrayResize(hit_item, length(hit_id)) AS hit_item,
        arrayMap(h -> arrayFirst(x -> x.1 = h, r.hit_states), hit_id) AS hit_review
    FROM (
        WITH (SELECT groupArray((`from`, `to`, run_id)) FROM (SELECT `from`, `to`, run_id FROM run_switches ORDER BY at DESC, run_id DESC)) AS switches
        SELECT session_id, started_at, shop, team AS own_team, closed, hit_id, hit_rule, hit_rule_version, hit_agent, hit_outcome, hit_severity, hit_points, hit_reason,
            evidence_turn, evidence_start, evidence_end, evidence_hit, hit_item, if(agent_id != '', agent_id, agent_ids[1]) AS team_agent, ifNull(started_at, toDateTime64('2299-01-01', 3, 'UTC')) AS team_at
        FROM analyses FINAL
        WHERE run_id = tupleElement(arrayFirst(s -> started_at BETWEEN s.1 AND s.2, switches), 3)
    ) AS a
    ASOF LEFT JOIN (SELECT agent_id, valid_from, team FROM agents FINAL) AS g ON g.agent_id = a.team_agent AND a.team_at >= g.valid_from
    LEFT JOIN (SELECT session_id, hit_states FROM review_states FINAL) AS r ON r.session_id = a.session_id
)
ARRAY JOIN hit_id, hit_rule AS rule_id, hit_rule_version AS rule_version, hit_agent AS agent_id, hit_outcome AS outcome,
    hit_severity AS severity, hit_points AS points, hit_reason AS reason, hit_item AS item, hit_review AS review, arrayEnumerate(hit_id) AS number;

CREATE OR REPLACE VIEW sessions (
    session_id     String COMMENT 'Session',
    started_at     Nullable(DateTime64(3, 'UTC')) COMMENT 'Start, else the time of the first turn that has one; null without any time',
    ended_at       Nullable(DateTime64(3, 'UTC')) COMMENT 'End, where known',
    state          String COMMENT 'open or closed; of an open session score and experience are provisional',
    channel        String COMMENT 'Channel, such as chat, call, email',
    shop           String COMMENT 'Shop',
    business       String COMMENT 'presales, insales, aftersales, followup or empty',
    team           String COMMENT 'Team that the session names, else the team its agent had at the start by the imported agents, else empty',
    agent_ids      Array(String) COMMENT 'Distinct agents in order of their first turn',
    customer_id    String COMMENT 'Keyed pseudonym of the customer, empty where unknown',
    turns          UInt32 COMMENT 'Number of turns',
    score          Nullable(Float64) COMMENT 'Score by the rules, 0..100; null without an agent turn',
    experience     Float64 COMMENT 'Predicted satisfaction of the customer, -1..1',
    flagged        Bool COMMENT 'Goes to the review queue',
    emotion_start  String COMMENT 'Emotion of the first customer turn, empty without one',
    emotion_end    String COMMENT 'Emotion of the last customer turn, empty without one',
    rules_version  String COMMENT 'Rules in use',
    model_version  String COMMENT 'Models in use',
    epoch          UInt32 COMMENT 'Snapshot of the opinion registry in use',
    run_id         UInt64 COMMENT 'Run shown: 0 = live, else a rerun',
    version        UInt64 COMMENT 'Grows with every message of the session and every epoch',
    topic          String COMMENT 'Kafka topic of the messages, empty for files',
    partition      Int32 COMMENT 'Kafka partition',
    offset_min     Int64 COMMENT 'Smallest Kafka offset of the messages',
    offset_max     Int64 COMMENT 'Greatest Kafka offset of the messages',
    code_version   String COMMENT 'Program that wrote the analysis',
    coverage       Array(Tuple(what String, why String, count UInt32)) COMMENT 'What was skipped or mended, why, and how often (0 = not counted)',
    day            Nullable(Date) COMMENT 'Day of started_at in the configured timezone',
    source         String COMMENT 'Source system',
    skill_group    String COMMENT 'Skill group',
    product        String COMMENT 'Product the session is about',
    agent_id       String COMMENT 'Agent that the session message names',
    severity       String COMMENT 'Strongest severity among the hits, empty without one',
    customer_turns UInt32 COMMENT 'Number of customer turns',
    agent_turns    UInt32 COMMENT 'Number of agent turns',
    bot_turns      UInt32 COMMENT 'Number of bot turns',
    duration_ms    Nullable(Int64) COMMENT 'Duration, ms',
    first_reply_ms Nullable(Int64) COMMENT 'First valid reply after the first customer turn, ms',
    avg_reply_ms   Nullable(Float64) COMMENT 'Mean wait of the answered rounds, ms',
    attributes     Map(String, String) COMMENT 'Further fields of the session message',
    agent_name     String COMMENT 'Name of agent_id, else of the first agent: as the session names it, else by the imported agents, else empty',
    max_reply_ms   Nullable(Int64) COMMENT 'Longest wait, ms',
    rounds         UInt32 COMMENT 'Number of rounds',
    unanswered     UInt32 COMMENT 'Rounds without a reply',
    talk_share     Nullable(Float64) COMMENT 'Characters of the agent among those of customer and agent, 0..1',
    silence_ms     Nullable(Int64) COMMENT 'Calls: gaps between turns, ms',
    overlap_ms     Nullable(Int64) COMMENT 'Calls: time both spoke, ms',
    final_score    Nullable(Float64) COMMENT 'Score without the hits that were dismissed or overturned; the same as score where there is none. Items that people score count in their scorecard',
    reviewed       Bool COMMENT 'A reviewer has said that nothing is left to do, or every major and critical hit is decided; of a session without such hits every hit that costs points',
    assignee       String COMMENT 'Who is to review it, empty for nobody',
    open_appeals   UInt32 COMMENT 'Hits with an appeal that nobody has judged',
    conflicts      UInt32 COMMENT 'Hits whose last decision is in conflict',
    media_url      String COMMENT 'Recording'
) AS
SELECT a.session_id AS session_id, started_at, ended_at, if(closed, 'closed', 'open') AS state, channel, shop, business, if(named_team != '', named_team, g.team) AS team, agent_ids, customer_id,
    fact_turns AS turns, score, experience, flagged, emotion_start, emotion_end, rules_version, model_version, epoch, run_id, version,
    topic, partition, offset_min, offset_max, code_version,
    arrayMap((w, y, n) -> (w, y, n), coverage_what, coverage_why, coverage_count)::Array(Tuple(what String, why String, count UInt32)) AS coverage,
    toDate(started_at, '{{timezone}}') AS day, source, skill_group, product, a.agent_id AS agent_id, severity, fact_customer_turns AS customer_turns, fact_agent_turns AS agent_turns,
    fact_bot_turns AS bot_turns, fact_duration_ms AS duration_ms, fact_first_reply_ms AS first_reply_ms, fact_avg_reply_ms AS avg_reply_ms,
    attributes, if(named_agent != '', named_agent, g.name) AS agent_name, fact_max_reply_ms AS max_reply_ms, fact_rounds AS rounds, fact_unanswered AS unanswered,
    fact_talk_share AS talk_share, fact_silence_ms AS silence_ms, fact_overlap_ms AS overlap_ms,
    -- The hits of a rule that counts each place share its cap; where nothing is dismissed the score is what the rules made it.
    -- A lambda over one element binds a name once: an alias would be worked out wherever it is used.
    if(isNull(score) OR NOT hasAny(r.void_hits, hit_id), score, arrayMap(kept -> arrayMap(kept_rules -> greatest(0, least(100, 100 + arraySum(
            (x, i) -> multiIf(x.5 = 'whole', -1e9, x.4 != '', 0, x.3 >= 0, x.2, i = indexOf(kept_rules, x.1), greatest(x.2 * countEqual(kept_rules, x.1), x.3), 0), kept, arrayEnumerate(kept)))),
        [arrayMap(x -> x.1, kept)])[1],
        [arrayFilter((x, h) -> NOT has(r.void_hits, h), arrayZip(hit_rule, if(length(hit_takes) = length(hit_id), hit_takes, hit_points),
            arrayResize(hit_cap, length(hit_id)), arrayResize(hit_item, length(hit_id)), arrayResize(hit_critical, length(hit_id))), hit_id)])[1]) AS final_score,
    r.done OR arrayMap(weighty -> notEmpty(weighty) AND hasAll(r.decided_hits, weighty), [if(hasAny(hit_severity, ['major', 'critical']),
        arrayFilter((h, s) -> s IN ('major', 'critical'), hit_id, hit_severity), arrayFilter((h, p) -> p < 0, hit_id, hit_points))])[1] AS reviewed,
    r.assignee AS assignee, length(arrayIntersect(r.appealed_hits, hit_id)) AS open_appeals, length(arrayIntersect(r.conflict_hits, hit_id)) AS conflicts, media_url
-- The run and the team as in active_sessions, from fewer columns.
FROM (
    WITH (SELECT groupArray((`from`, `to`, run_id)) FROM (SELECT `from`, `to`, run_id FROM run_switches ORDER BY at DESC, run_id DESC)) AS switches
    SELECT session_id, started_at, ended_at, closed, channel, shop, business, team AS named_team, agent_ids, customer_id, fact_turns, score, experience, flagged, emotion_start, emotion_end,
        rules_version, model_version, epoch, run_id, version, topic, partition, offset_min, offset_max, code_version, coverage_what, coverage_why, coverage_count, source, skill_group, product,
        agent_id, severity, fact_customer_turns, fact_agent_turns, fact_bot_turns, fact_duration_ms, fact_first_reply_ms, fact_avg_reply_ms, attributes, agent_name AS named_agent,
        fact_max_reply_ms, fact_rounds, fact_unanswered, fact_talk_share, fact_silence_ms, fact_overlap_ms, media_url,
        hit_id, hit_rule, hit_severity, hit_points, hit_takes, hit_cap, hit_item, hit_critical,
        if(agent_id != '', agent_id, agent_ids[1]) AS team_agent, ifNull(started_at, toDateTime64('2299-01-01', 3, 'UTC')) AS team_at
    FROM analyses FINAL
    WHERE run_id = tupleElement(arrayFirst(s -> started_at BETWEEN s.1 AND s.2, switches), 3)
) AS a
ASOF LEFT JOIN (SELECT agent_id, valid_from, name, team FROM agents FINAL) AS g ON g.agent_id = a.team_agent AND a.team_at >= g.valid_from
LEFT JOIN (SELECT session_id, void_hits, decided_hits, appealed_hits, conflict_hits, assignee, done FROM review_states FINAL) AS r ON r.session_id = a.session_id;

-- What is left of each item of a session's scorecards once dismissed hits are gone and people have given their points.
CREATE OR REPLACE VIEW scorecard_items (
    session_id   String COMMENT 'Session',
    scorecard    String COMMENT 'Scorecard',
    item         String COMMENT 'Item',
    points       Nullable(Float64) COMMENT 'Points reached: by the rules, of a human item those of the reviewer; null when not applicable or not yet scored',
    max          Float64 COMMENT 'Points possible',
    outcome      String COMMENT 'Outcome of the item: pass, fail, na',
    human        Bool COMMENT 'Scored by a reviewer',
    day          Nullable(Date) COMMENT 'Day of the start of the session in the configured timezone',
    closed       Bool COMMENT 'Whether the session has ended',
    final_points Nullable(Float64) COMMENT 'Points without the hits that were dismissed or overturned',
    weight       Float64 COMMENT 'Share of the item in its scorecard',
    locks        Bool COMMENT 'Sets the whole scorecard to 0, dismissed hits aside'
) AS
SELECT session_id, scorecard, item, if(human, given, points) AS points, max, outcome, human, toDate(started_at, '{{timezone}}') AS day, closed,
    multiIf(human, given, isNull(points) OR NOT dismissed, points, greatest(0, base + arraySum((x, i) -> if(x.2 = place AND i = indexOf(kept_rules, x.1), x.3, 0), kept, arrayEnumerate(arrayMap(x -> x.1, kept) AS kept_rules)))) AS final_points,
    if(weight > 0, weight, max) AS weight,
    (has(kept_critical, 'whole') OR has(locked_items, true) OR arrayExists(x -> x.4 = 'group' AND startsWith(x.2, concat(scorecard, '.')), kept))::Bool AS locks
FROM (
    SELECT session_id, started_at, closed, scorecard, item, points, max, outcome, human, weight, base, kept, dismissed, concat(scorecard, '.', item) AS place,
        arrayMap(x -> x.4, kept) AS kept_critical,
        arrayFilter((l, c) -> l AND c = scorecard, item_locked, item_scorecard) AS locked_items,
        if(has(scored_items, place), toNullable(least(max, scored_points[indexOf(scored_items, place)])), NULL) AS given
    FROM (
        SELECT session_id, started_at, closed, item_scorecard, item_id, item_points, item_max, item_outcome, item_human,
            arrayResize(item_weight, length(item_id)) AS item_weight, arrayResize(item_base, length(item_id)) AS item_base, arrayResize(item_locked, length(item_id)) AS item_locked,
            hasAny(r.void_hits, hit_id) AS dismissed, r.scored_items AS scored_items, r.scored_points AS scored_points,
            arrayFilter((x, h) -> NOT has(r.void_hits, h), arrayZip(hit_rule, arrayResize(hit_item, length(hit_id)), arrayResize(hit_takes, length(hit_id)), arrayResize(hit_critical, length(hit_id))), hit_id) AS kept
        FROM (
            WITH (SELECT groupArray((`from`, `to`, run_id)) FROM (SELECT `from`, `to`, run_id FROM run_switches ORDER BY at DESC, run_id DESC)) AS switches
            SELECT session_id, started_at, closed, item_scorecard, item_id, item_points, item_max, item_outcome, item_human, item_weight, item_base, item_locked,
                hit_id, hit_rule, hit_item, hit_takes, hit_critical
            FROM analyses FINAL
            WHERE notEmpty(item_id) AND run_id = tupleElement(arrayFirst(s -> started_at BETWEEN s.1 AND s.2, switches), 3)
        ) AS a
        LEFT JOIN (SELECT session_id, void_hits, scored_items, scored_points FROM review_states FINAL) AS r ON r.session_id = a.session_id
    )
    ARRAY JOIN item_scorecard AS scorecard, item_id AS item, item_points AS points, item_max AS max, item_outcome AS outcome, item_human AS human,
        item_weight AS weight, item_base AS base
);

CREATE OR REPLACE VIEW scorecards (
    session_id  String COMMENT 'Session',
    scorecard   String COMMENT 'Scorecard',
    name        String COMMENT 'Its name',
    score       Nullable(Float64) COMMENT 'Score by the rules, 0..100; items that people score are left out; null where no item applies',
    final_score Nullable(Float64) COMMENT 'Score without dismissed and overturned hits and with the points that people gave',
    unscored    UInt64 COMMENT 'Items that people are to score and have not',
    day         Nullable(Date) COMMENT 'Day of the start of the session in the configured timezone',
    closed      Bool COMMENT 'Whether the session has ended'
) AS
SELECT c.session_id AS session_id, c.scorecard AS scorecard, name, score,
    multiIf(best = 0, NULL, locked, 0, floor(got / best * 1000 + 0.5) / 10) AS final_score, unscored, toDate(started_at, '{{timezone}}') AS day, closed
FROM (
    SELECT session_id, started_at, closed, scorecard, name, score
    FROM (
        WITH (SELECT groupArray((`from`, `to`, run_id)) FROM (SELECT `from`, `to`, run_id FROM run_switches ORDER BY at DESC, run_id DESC)) AS switches
        SELECT session_id, started_at, closed, scorecard_id, scorecard_name, scorecard_score
        FROM analyses FINAL
        WHERE run_id = tupleElement(arrayFirst(s -> started_at BETWEEN s.1 AND s.2, switches), 3)
    )
    ARRAY JOIN scorecard_id AS scorecard, scorecard_name AS name, scorecard_score AS score
) AS c
INNER JOIN (
    SELECT session_id, scorecard, sumIf(weight, isNotNull(final_points)) AS best, ifNull(sum(if(weight = max, final_points, final_points / max * weight)), 0) AS got,
        max(locks) AS locked, countIf(human AND isNull(points)) AS unscored
    FROM scorecard_items
    GROUP BY session_id, scorecard
) AS i ON i.session_id = c.session_id AND i.scorecard = c.scorecard;

-- How right each rule is, by those of its hits that people have decided. A decision whose hit is no longer found is in no
-- row, and neither is one on an open session.
CREATE OR REPLACE VIEW rule_days (
    rule_id      String COMMENT 'Rule',
    rule_version String COMMENT 'Version of the rule that found the hits',
    day          Nullable(Date) COMMENT 'Day of the start of the session in the configured timezone',
    hits         UInt64 COMMENT 'Hits',
    sessions     UInt64 COMMENT 'Sessions with a hit',
    confirmed    UInt64 COMMENT 'Hits that are confirmed, or upheld after an appeal',
    dismissed    UInt64 COMMENT 'Hits that are dismissed, or overturned after an appeal',
    conflicts    UInt64 COMMENT 'Hits whose last decision is in conflict; they count as neither',
    appealed     UInt64 COMMENT 'Hits with an open appeal; they count as neither'
) AS
SELECT rule_id, rule_version, day, count() AS hits, uniqExact(session_id) AS sessions,
    countIf(state IN ('confirmed', 'upheld') AND NOT conflict) AS confirmed,
    countIf(state IN ('dismissed', 'overturned') AND NOT conflict) AS dismissed,
    countIf(conflict) AS conflicts,
    countIf(state = 'appealed' AND NOT conflict) AS appealed
FROM hits
WHERE closed
GROUP BY rule_id, rule_version, day;

CREATE OR REPLACE VIEW rule_precision (
    rule_id      String COMMENT 'Rule',
    rule_version String COMMENT 'Version of the rule that found the hits',
    hits         UInt64 COMMENT 'Hits',
    confirmed    UInt64 COMMENT 'Hits that are confirmed, or upheld after an appeal',
    dismissed    UInt64 COMMENT 'Hits that are dismissed, or overturned after an appeal',
    conflicts    UInt64 COMMENT 'Hits whose last decision is in conflict; they count as neither',
    appealed     UInt64 COMMENT 'Hits with an open appeal; they count as neither',
    precision    Nullable(Float64) COMMENT 'confirmed / (confirmed + dismissed), 0..1; null while nothing is decided',
    first_day    Nullable(Date) COMMENT 'Day of its first hit',
    last_day     Nullable(Date) COMMENT 'Day of its last hit'
) AS
SELECT rule_id, rule_version, sum(d.hits) AS hits, sum(d.confirmed) AS confirmed, sum(d.dismissed) AS dismissed, sum(d.conflicts) AS conflicts, sum(d.appealed) AS appealed,
    if(confirmed + dismissed = 0, NULL, confirmed / (confirmed + dismissed)) AS precision, min(day) AS first_day, max(day) AS last_day
FROM rule_days AS d
GROUP BY rule_id, rule_version;
