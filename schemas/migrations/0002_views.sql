-- Public views: the contract with everybody who queries. Columns are only added, never renamed or taken away.
-- Each view reads with FINAL and shows the active run. {{timezone}} is the configured zone of days.

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
    overlap_ms     Nullable(Int64) COMMENT 'Calls: time both spoke, ms'
) AS
SELECT session_id, started_at, ended_at, if(closed, 'closed', 'open') AS state, channel, shop, business, team, agent_ids, customer_id,
    fact_turns AS turns, score, experience, flagged, emotion_start, emotion_end, rules_version, model_version, epoch, run_id, version,
    topic, partition, offset_min, offset_max, code_version,
    arrayMap((w, y, n) -> (w, y, n), coverage_what, coverage_why, coverage_count)::Array(Tuple(what String, why String, count UInt32)) AS coverage,
    day, source, skill_group, product, agent_id, severity, fact_customer_turns AS customer_turns, fact_agent_turns AS agent_turns,
    fact_bot_turns AS bot_turns, fact_duration_ms AS duration_ms, fact_first_reply_ms AS first_reply_ms, fact_avg_reply_ms AS avg_reply_ms,
    attributes, agent_name, fact_max_reply_ms AS max_reply_ms, fact_rounds AS rounds, fact_unanswered AS unanswered,
    fact_talk_share AS talk_share, fact_silence_ms AS silence_ms, fact_overlap_ms AS overlap_ms
FROM active_sessions;

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
    closed     Bool COMMENT 'Whether the session has ended'
) AS
SELECT session_id, seq, role, if(role = 'agent' AND speaker = '', agent, speaker) AS agent_id, at, text, emotion, polarity, auto, start_ms, end_ms, confidence, position,
    toDate(started_at, '{{timezone}}') AS day, shop, closed
FROM (SELECT session_id, started_at, shop, closed, agent_id AS agent, turn_seq, turn_role, turn_agent, turn_at, turn_text, turn_emotion, turn_polarity, turn_auto, turn_start_ms, turn_end_ms, turn_confidence FROM active_analyses)
ARRAY JOIN turn_seq AS seq, turn_role AS role, turn_agent AS speaker, turn_at AS at, turn_text AS text, turn_emotion AS emotion,
    turn_polarity AS polarity, turn_auto AS auto, turn_start_ms AS start_ms, turn_end_ms AS end_ms, turn_confidence AS confidence,
    arrayEnumerate(turn_seq) AS position;

-- Where a merged opinion counts now. A merge names every id that it moves, so one look is enough.
CREATE OR REPLACE VIEW opinion_redirects AS
SELECT opinion_id, argMax(target_id, event_id) AS target_id
FROM opinion_events FINAL
WHERE action IN ('merge', 'found', 'split')
GROUP BY opinion_id
HAVING argMax(action, event_id) = 'merge';

CREATE OR REPLACE VIEW mentions (
    session_id  String COMMENT 'Session',
    seq         Int64 COMMENT 'seq of the turn',
    mention_id  String COMMENT 'Identity of the mention, the same in reruns',
    text        String COMMENT 'Its words, masked',
    start       UInt32 COMMENT 'First byte in the text of the turn',
    end         UInt32 COMMENT 'Byte after the last',
    kind        String COMMENT 'question, complaint, praise, suggestion, request, bug',
    aspect      String COMMENT 'quality, spec, price, stock, logistics, aftersales, order, function, account, service, packaging, other',
    valuable    Bool COMMENT 'Says something a product manager can act on, not a pure rant',
    product     String COMMENT 'Product named, else empty',
    polarity    String COMMENT 'negative, neutral, positive',
    opinion_id  String COMMENT 'Opinion it counts for, merges resolved; empty while waiting',
    department  String COMMENT 'Department that acts on it',
    customer_id String COMMENT 'Keyed pseudonym of the customer',
    day         Nullable(Date) COMMENT 'Day of the start of the session in the configured timezone',
    shop        String COMMENT 'Shop',
    closed      Bool COMMENT 'Whether the session has ended'
) AS
WITH
    (SELECT groupArray(opinion_id) FROM (SELECT opinion_id FROM opinion_redirects ORDER BY opinion_id)) AS merged,
    (SELECT groupArray(target_id) FROM (SELECT target_id FROM opinion_redirects ORDER BY opinion_id)) AS targets
SELECT session_id, seq, mention_id, text, start, end, kind, aspect, valuable, product, polarity,
    if(empty(merged), opinion, transform(opinion, arrayPushBack(merged, ''), arrayPushBack(targets, ''), opinion)) AS opinion_id,
    department, customer_id, toDate(started_at, '{{timezone}}') AS day, shop, closed
FROM (SELECT session_id, started_at, shop, customer_id, closed, mention_id, mention_turn, mention_text, mention_start, mention_end, mention_kind, mention_aspect,
        mention_valuable, mention_product, mention_polarity, mention_opinion, mention_department FROM active_analyses)
ARRAY JOIN mention_turn AS seq, mention_id, mention_text AS text, mention_start AS start, mention_end AS end, mention_kind AS kind,
    mention_aspect AS aspect, mention_valuable AS valuable, mention_product AS product, mention_polarity AS polarity,
    mention_opinion AS opinion, mention_department AS department;

CREATE OR REPLACE VIEW reviews (
    session_id String COMMENT 'Session',
    event_id   String COMMENT 'Identity of the event; events count in this order',
    seen       String COMMENT 'Last event that the page had shown to the actor',
    hit_id     String COMMENT 'Hit, or empty for the session as a whole',
    actor      String COMMENT 'Who',
    action     String COMMENT 'confirm, dismiss, appeal, uphold, overturn, score or note',
    note       String COMMENT 'Remark',
    at         DateTime64(3, 'UTC') COMMENT 'When',
    conflict   Bool COMMENT 'Made without having seen the decision before it, and no later decision has resolved it',
    item       String COMMENT 'Scorecard item that is scored',
    points     Nullable(Float64) COMMENT 'Points given to it'
) AS
SELECT session_id, event_id, seen, hit_id, actor, action, note, at,
    action != 'note' AND previous != '' AND seen < previous AND next = '' AS conflict, item, points
FROM (
    SELECT *,
        lagInFrame(event_id) OVER (PARTITION BY session_id, hit_id, item, action = 'note' ORDER BY event_id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS previous,
        leadInFrame(event_id) OVER (PARTITION BY session_id, hit_id, item, action = 'note' ORDER BY event_id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS next
    FROM review_events FINAL
);

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
    decision      String COMMENT 'Last decision of a reviewer: confirm, dismiss, appeal, uphold, overturn; empty while undecided',
    day           Nullable(Date) COMMENT 'Day of the start of the session in the configured timezone',
    shop          String COMMENT 'Shop',
    team          String COMMENT 'Team of the session',
    closed        Bool COMMENT 'Whether the session has ended',
    evidence      Array(Tuple(seq Int64, start UInt32, end UInt32)) COMMENT 'Places it rests on: seq of the turn, first byte in its text and byte after the last'
) AS
SELECT h.session_id, h.hit_id, rule_id, rule_version, agent_id, outcome, severity, points, evidence_seqs, reason, d.decision AS decision, day, shop, team, closed, evidence
FROM (
    SELECT session_id, day, shop, team, closed, hit_id, rule_id, rule_version, agent_id, outcome, severity, points, reason,
        arrayFilter((t, h) -> h = number, evidence_turn, evidence_hit) AS evidence_seqs,
        arrayFilter((e, h) -> h = number, arrayMap((t, a, b) -> (t, a, b), evidence_turn, evidence_start, evidence_end), evidence_hit)::Array(Tuple(seq Int64, start UInt32, end UInt32)) AS evidence
    FROM (SELECT session_id, day, shop, team, closed, hit_id, hit_rule, hit_rule_version, hit_agent, hit_outcome, hit_severity, hit_points, hit_reason, evidence_turn, evidence_start, evidence_end, evidence_hit
        FROM active_sessions)
    ARRAY JOIN hit_id, hit_rule AS rule_id, hit_rule_version AS rule_version, hit_agent AS agent_id, hit_outcome AS outcome,
        hit_severity AS severity, hit_points AS points, hit_reason AS reason, arrayEnumerate(hit_id) AS number
) AS h
LEFT JOIN (
    SELECT session_id, hit_id, argMax(action, event_id) AS decision
    FROM review_events FINAL
    WHERE hit_id != '' AND action NOT IN ('note', 'score')
    GROUP BY session_id, hit_id
) AS d ON d.session_id = h.session_id AND d.hit_id = h.hit_id;

CREATE OR REPLACE VIEW outcomes (
    session_id String COMMENT 'Session',
    rule_id    String COMMENT 'Rule',
    outcome    String COMMENT 'pass, fail, na, present, absent',
    day        Nullable(Date) COMMENT 'Day of the start of the session in the configured timezone',
    closed     Bool COMMENT 'Whether the session has ended'
) AS
SELECT session_id, rule_id, outcome, toDate(started_at, '{{timezone}}') AS day, closed
FROM (SELECT session_id, started_at, closed, outcome_rule, outcome_value FROM active_analyses)
ARRAY JOIN outcome_rule AS rule_id, outcome_value AS outcome;

CREATE OR REPLACE VIEW scorecard_items (
    session_id String COMMENT 'Session',
    scorecard  String COMMENT 'Scorecard',
    item       String COMMENT 'Item',
    points     Nullable(Float64) COMMENT 'Points reached; null when not applicable or not yet scored',
    max        Float64 COMMENT 'Points possible',
    outcome    String COMMENT 'Outcome of the item',
    human      Bool COMMENT 'Scored by a reviewer',
    day        Nullable(Date) COMMENT 'Day of the start of the session in the configured timezone',
    closed     Bool COMMENT 'Whether the session has ended'
) AS
SELECT session_id, scorecard, item, points, max, outcome, human, toDate(started_at, '{{timezone}}') AS day, closed
FROM (SELECT session_id, started_at, closed, item_scorecard, item_id, item_points, item_max, item_outcome, item_human FROM active_analyses)
ARRAY JOIN item_scorecard AS scorecard, item_id AS item, item_points AS points, item_max AS max, item_outcome AS outcome, item_human AS human;

CREATE OR REPLACE VIEW rounds (
    session_id     String COMMENT 'Session',
    agent_id       String COMMENT 'Agent who replied; of an unanswered round the last agent, empty for nobody',
    asked_at       Nullable(DateTime64(3, 'UTC')) COMMENT 'When the customer began to wait, null without a time',
    replied_at     Nullable(DateTime64(3, 'UTC')) COMMENT 'When the valid reply came, null when unanswered or without a time',
    reply_ms       Nullable(Int64) COMMENT 'Time waited, ms',
    seq            Int64 COMMENT 'seq of the first customer turn',
    reply_seq      Nullable(Int64) COMMENT 'seq of the valid reply, null when unanswered',
    customer_turns UInt32 COMMENT 'Customer turns in the round',
    valid_replies  UInt32 COMMENT 'Valid replies up to the next round',
    first          Bool COMMENT 'First round of the session',
    day            Nullable(Date) COMMENT 'Day of asked_at in the configured timezone',
    shop           String COMMENT 'Shop',
    channel        String COMMENT 'Channel',
    source         String COMMENT 'Source system',
    customer_id    String COMMENT 'Keyed pseudonym of the customer',
    closed         Bool COMMENT 'Whether the session has ended'
) AS
SELECT session_id, agent_id, asked_at, replied_at, reply_ms, seq, reply_seq, customer_turns, valid_replies, first,
    toDate(asked_at, '{{timezone}}') AS day, shop, channel, source, customer_id, closed
FROM (SELECT session_id, shop, channel, source, customer_id, closed, round_agent, round_asked_at, round_replied_at, round_reply_ms, round_turn, round_reply,
        round_customers, round_replies, round_first FROM active_analyses)
ARRAY JOIN round_agent AS agent_id, round_asked_at AS asked_at, round_replied_at AS replied_at, round_reply_ms AS reply_ms, round_turn AS seq,
    round_reply AS reply_seq, round_customers AS customer_turns, round_replies AS valid_replies, round_first AS first;

CREATE OR REPLACE VIEW opinion_days (
    opinion_id String COMMENT 'Opinion, merges resolved',
    day        Nullable(Date) COMMENT 'Day of the start of the session in the configured timezone',
    mentions   UInt64 COMMENT 'Mentions on that day',
    sessions   UInt64 COMMENT 'Sessions with a mention',
    customers  UInt64 COMMENT 'Distinct customers; a session without a known customer is one of its own'
) AS
SELECT opinion_id, day, count() AS mentions, uniqExact(session_id) AS sessions,
    uniqExact(if(customer_id != '', concat('c', customer_id), concat('s', session_id))) AS customers
FROM mentions
WHERE opinion_id != ''
GROUP BY opinion_id, day;

CREATE OR REPLACE VIEW opinions (
    opinion_id String COMMENT 'Opinion; merged ones are left out',
    title      String COMMENT 'Title; one given by a person wins',
    aspect     String COMMENT 'Aspect',
    product    String COMMENT 'Product, else empty',
    kind       String COMMENT 'Kind of the mentions it was founded on',
    department String COMMENT 'Department that acts on it',
    status     String COMMENT 'new, accepted, fixed, declined',
    fixed_on   Nullable(Date) COMMENT 'Day it was fixed',
    owner      String COMMENT 'Who takes care of it',
    first_seen Nullable(Date) COMMENT 'Day of its first mention',
    mentions   UInt64 COMMENT 'Mentions',
    sessions   UInt64 COMMENT 'Sessions with a mention',
    customers  UInt64 COMMENT 'Distinct customers; a session without a known customer is one of its own',
    trend      String COMMENT 'By the last day with any mention: new (first seen within 7 days), rising (last 7 days at least 3 and twice the 7 before), fading (at most half of the 7 before), else steady',
    last_seen  Nullable(Date) COMMENT 'Day of its last mention',
    note       String COMMENT 'Last remark',
    answer     String COMMENT 'Approved answer',
    polarity   String COMMENT 'Polarity side'
) AS
WITH (SELECT max(day) FROM mentions WHERE opinion_id != '') AS today
SELECT r.opinion_id, title, aspect, product, kind, department, status, fixed_on, owner, first_seen, mentions, sessions, customers,
    multiIf(mentions = 0 OR first_seen IS NULL, '', first_seen > today - 7, 'new', week >= 3 AND week >= 2 * week_before, 'rising', 2 * week <= week_before, 'fading', 'steady') AS trend,
    last_seen, note, answer, polarity
FROM (
    SELECT opinion_id,
        if(countIf(action = 'rename') > 0, argMaxIf(title, event_id, action = 'rename'), argMaxIf(title, event_id, action IN ('found', 'title', 'split'))) AS title,
        argMaxIf(aspect, event_id, aspect != '') AS aspect, argMaxIf(product, event_id, product != '') AS product,
        argMaxIf(kind, event_id, kind != '') AS kind, argMaxIf(polarity, event_id, polarity != '') AS polarity,
        argMaxIf(department, event_id, department != '') AS department,
        if(countIf(status != '') = 0, 'new', argMaxIf(status, event_id, status != '')) AS status,
        argMaxIf(fixed_on, event_id, action = 'status') AS fixed_on, argMaxIf(owner, event_id, owner != '') AS owner,
        argMaxIf(note, event_id, note != '') AS note, argMaxIf(answer, event_id, answer != '') AS answer
    FROM (SELECT event_id, action, opinion_id, title, aspect, product, kind, polarity, department, status, fixed_on, owner, note, answer FROM opinion_events FINAL)
    WHERE opinion_id NOT IN (SELECT opinion_id FROM opinion_redirects)
    GROUP BY opinion_id
) AS r
LEFT JOIN (
    SELECT opinion_id, min(day) AS first_seen, max(day) AS last_seen, count() AS mentions, uniqExact(session_id) AS sessions,
        uniqExact(if(customer_id != '', concat('c', customer_id), concat('s', session_id))) AS customers,
        countIf(day > today - 7) AS week, countIf(day > today - 14 AND day <= today - 7) AS week_before
    FROM mentions
    WHERE opinion_id != ''
    GROUP BY opinion_id
) AS m ON m.opinion_id = r.opinion_id;

CREATE OR REPLACE VIEW orders (
    order_id      String COMMENT 'Order',
    shop          String COMMENT 'Shop',
    status        String COMMENT 'created, paid, shipped, refunded',
    updated_at    DateTime64(3, 'UTC') COMMENT 'Time of the message',
    customer_id   String COMMENT 'Keyed pseudonym of the customer',
    agent_id      String COMMENT 'Agent that the order names',
    created_at    Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was created',
    paid_at       Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was paid',
    amount        Nullable(Decimal(18, 4)) COMMENT 'Amount, in the currency of the shop',
    items         Array(Tuple(sku String, name String, qty Int64, price Nullable(Decimal(18, 4)))) COMMENT 'Items; price is that of one piece',
    refund_amount Nullable(Decimal(18, 4)) COMMENT 'Refunded so far',
    attributes    Map(String, String) COMMENT 'Further fields of the order message'
) AS
SELECT order_id, shop, status, updated_at, customer_id, agent_id, created_at, paid_at, amount,
    arrayMap((s, n, q, p) -> (s, n, q, p), item_sku, item_name, item_qty, item_price)::Array(Tuple(sku String, name String, qty Int64, price Nullable(Decimal(18, 4)))) AS items,
    refund_amount, attributes
FROM order_rows FINAL;

CREATE OR REPLACE VIEW ratings (
    session_id String COMMENT 'Session rated',
    score      Float64 COMMENT 'Score given',
    max        Float64 COMMENT 'Highest score possible',
    comment    String COMMENT 'Masked comment',
    at         Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was given',
    attributes Map(String, String) COMMENT 'Further fields of the rating message'
) AS
SELECT session_id, score, max, comment, at, attributes FROM rating_rows FINAL;

CREATE OR REPLACE VIEW alerts (
    alert_id   String COMMENT 'Identity of the alert: hash(session, rule, first evidence)',
    session_id String COMMENT 'Session',
    rule_id    String COMMENT 'Rule',
    at         DateTime64(3, 'UTC') COMMENT 'Time of the evidence',
    sent_at    Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was sent, null while it was not',
    state      String COMMENT 'stored, sent, superseded',
    severity   String COMMENT 'Severity of the rule',
    shop       String COMMENT 'Shop',
    agent_id   String COMMENT 'Agent'
) AS
SELECT alert_id, session_id, rule_id, at, sent_at, state, severity, shop, agent_id FROM alert_rows FINAL;

CREATE OR REPLACE VIEW dead_letters (
    topic      String COMMENT 'Kafka topic, or the name of the file',
    partition  Int32 COMMENT 'Kafka partition, 0 for files',
    offset     Int64 COMMENT 'Kafka offset, or the line of the file',
    error      String COMMENT 'What is wrong, with the field',
    raw_masked String COMMENT 'First 4 KiB of the message, masked',
    sha256     String COMMENT 'SHA-256 of the raw message, hex',
    at         DateTime64(3, 'UTC') COMMENT 'When it was sent, or put aside; rows are kept for 30 days'
) AS
SELECT topic, partition, offset, error, raw_masked, sha256, at FROM dead_letter_rows FINAL;

CREATE OR REPLACE VIEW runs (
    run_id        UInt64 COMMENT 'Rerun',
    rules_version String COMMENT 'Rules in use',
    `from`        DateTime64(3, 'UTC') COMMENT 'Start of the period, by started_at',
    `to`          DateTime64(3, 'UTC') COMMENT 'End of the period, inside it',
    state         String COMMENT 'running, done, switched, failed or cancelled',
    sessions      UInt64 COMMENT 'Sessions scored',
    model_version String COMMENT 'Models in use',
    epoch         UInt32 COMMENT 'Snapshot of the opinion registry',
    actor         String COMMENT 'Who started it',
    note          String COMMENT 'What it was for, or why it failed',
    created_at    DateTime64(3, 'UTC') COMMENT 'When it was started'
) AS
SELECT run_id, rules_version, `from`, `to`, state, sessions, model_version, epoch, actor, note, created_at FROM run_rows FINAL;

CREATE OR REPLACE VIEW lost_ranges (
    topic           String COMMENT 'Kafka topic',
    partition       Int32 COMMENT 'Kafka partition',
    offset_from     Int64 COMMENT 'First offset missing',
    offset_to       Int64 COMMENT 'Last offset missing',
    at              DateTime64(3, 'UTC') COMMENT 'When the gap was seen',
    acknowledged    Bool COMMENT 'Whether an operator has acknowledged it',
    acknowledged_by String COMMENT 'Who did'
) AS
SELECT topic, partition, offset_from, offset_to, at, acknowledged = 1 AS acknowledged, acknowledged_by FROM lost_range_rows FINAL;
