-- What the pages read: a copy of what the views say of each session, one narrow row a session in the order of days, so that
-- a page reads the days that it shows and merges nothing. The views stay the truth and the contract for people; the program
-- keeps the copy at what they say (pipeline/warehouse/facts.go), and a test compares the two.
--
-- A base is one whole copy. What has changed since is appended under a greater generation and named in fact_moves; of a
-- session its greatest generation counts. A reader names the base and the generation, so all of what it reads is of one
-- moment. Nothing in here is kept: a base may be dropped at any time and is made anew.
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
    outcome_value    Array(LowCardinality(String)) COMMENT 'outcome of outcomes'
) ENGINE = {{replicated}}MergeTree PARTITION BY base ORDER BY (day, session_id)
SETTINGS allow_nullable_key = 1
COMMENT 'What the pages read of each session: a copy, in the order of days';

CREATE TABLE IF NOT EXISTS fact_moves (
    base       UInt64 COMMENT 'Copy that has changed',
    gen        UInt64 COMMENT 'Change',
    session_id String COMMENT 'Session whose older rows no longer count'
) ENGINE = {{replicated}}MergeTree PARTITION BY base ORDER BY (gen, session_id)
COMMENT 'Sessions whose rows in session_facts were replaced';

CREATE TABLE IF NOT EXISTS fact_bases (
    base     UInt64 COMMENT 'Copy',
    gen      UInt64 COMMENT 'Last change in it',
    moves    UInt64 COMMENT 'Sessions replaced in it',
    rows     UInt64 COMMENT 'Sessions it was made of',
    owner    String COMMENT 'Process that keeps it',
    stamp    String COMMENT 'How the tables stood any change of which makes a copy useless',
    read_at  DateTime64(3, 'UTC') COMMENT 'Everything written before is in it',
    noted_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When the row was written; the latest counts'
) ENGINE = {{replicated}}ReplacingMergeTree(noted_at) ORDER BY base
COMMENT 'Copies of what pages read, and how far each is';

ALTER TABLE review_states ADD COLUMN IF NOT EXISTS folded_at DateTime64(3, 'UTC') COMMENT 'When the row was written; 1970 of rows older than this column';

-- What session_facts should hold: the rows of sessions, hits, mentions, rounds and outcomes, folded to one row a session.
CREATE OR REPLACE VIEW session_fact_rows AS
SELECT a.session_id AS session_id, toDate(started_at, '{{timezone}}') AS day, toDate(kpi_since, '{{timezone}}') AS since_day, toDate(kpi_until, '{{timezone}}') AS until_day,
    started_at, ended_at, if(closed, 'closed', 'open') AS state, channel, source, shop, business, if(named_team != '', named_team, g.team) AS team,
    a.agent_id AS agent_id, agent_ids, if(named_agent != '', named_agent, g.name) AS agent_name, customer_id, product, fact_turns AS turns, score, experience, flagged, severity,
    emotion_start, emotion_end,
    -- As in sessions.
    if(isNull(score) OR NOT hasAny(r.void_hits, hit_id), score, arrayMap(kept -> arrayMap(kept_rules -> greatest(0, least(100, 100 + arraySum(
            (x, i) -> multiIf(x.5 = 'whole', -1e9, x.4 != '', 0, x.3 >= 0, x.2, i = indexOf(kept_rules, x.1), greatest(x.2 * countEqual(kept_rules, x.1), x.3), 0), kept, arrayEnumerate(kept)))),
        [arrayMap(x -> x.1, kept)])[1],
        [arrayFilter((x, h) -> NOT has(r.void_hits, h), arrayZip(rules, if(length(hit_takes) = length(hit_id), hit_takes, hit_points),
            arrayResize(hit_cap, length(hit_id)), arrayResize(hit_item, length(hit_id)), arrayResize(hit_critical, length(hit_id))), hit_id)])[1]) AS final_score,
    r.done OR arrayMap(weighty -> notEmpty(weighty) AND hasAll(r.decided_hits, weighty), [if(hasAny(hit_severity, ['major', 'critical']),
        arrayFilter((h, s) -> s IN ('major', 'critical'), hit_id, hit_severity), arrayFilter((h, p) -> p < 0, hit_id, hit_points))])[1] AS reviewed,
    r.assignee AS assignee, length(arrayIntersect(r.appealed_hits, hit_id)) AS open_appeals, length(arrayIntersect(r.conflict_hits, hit_id)) AS conflicts,
    opening, opening_seq, heard, arrayMap(e -> toUInt32(countEqual(said, e)), heard) AS heard_turns,
    hit_id, rules AS hit_rule, hit_version, hit_agent, hit_outcome, hit_severity, hit_points,
    arrayMap(h -> arrayFirst(x -> x.1 = h, r.hit_states), hit_id) AS hit_review,
    arrayMap(x -> x.3, hit_review) AS hit_decision, arrayMap(x -> if(x.2 = '', 'undecided', x.2), hit_review) AS hit_state, arrayMap(x -> x.4, hit_review) AS hit_conflict,
    arrayMap(x -> x.8, hit_review) AS hit_appeals,
    mention_opinion, mention_kind, mention_aspect, mention_product, mention_valuable,
    round_agent, arrayMap(t -> toDate(t, '{{timezone}}'), round_asked_at) AS round_day, round_reply_ms, round_first,
    arrayMap((w, y, t) -> (isNotNull(w) OR isNull(y) AND isNotNull(t))::Bool, round_reply_ms, round_reply, round_asked_at) AS round_timed,
    outcome_rule, outcome_value
FROM (
    WITH (SELECT groupArray((`from`, `to`, run_id)) FROM (SELECT `from`, `to`, run_id FROM run_switches ORDER BY at DESC, run_id DESC)) AS switches
    SELECT session_id, started_at, ended_at, closed, kpi_since, kpi_until, channel, source, shop, business, team AS named_team, agent_id, agent_ids, agent_name AS named_agent, customer_id, product,
        fact_turns, score, experience, flagged, severity, emotion_start, emotion_end,
        arrayFirstIndex((x, t) -> x = 'customer' AND t != '', turn_role, turn_text) AS opened, if(opened = 0, '', substringUTF8(turn_text[opened], 1, 201)) AS opening, if(opened = 0, 0, turn_seq[opened]) AS opening_seq,
        arrayMap(x -> toString(x), arrayFilter((e, x) -> x = 'customer', turn_emotion, turn_role)) AS said, arrayDistinct(said) AS heard,
        hit_id, hit_rule AS rules, hit_rule_version AS hit_version, hit_agent, hit_outcome, hit_severity, hit_points, hit_takes, hit_cap, hit_item, hit_critical,
        mention_opinion, mention_kind, mention_aspect, mention_product, mention_valuable,
        round_agent, round_asked_at, round_reply, round_reply_ms, round_first, outcome_rule, outcome_value,
        if(agent_id != '', agent_id, agent_ids[1]) AS team_agent, ifNull(started_at, toDateTime64('2299-01-01', 3, 'UTC')) AS team_at
    FROM analyses FINAL
    WHERE run_id = tupleElement(arrayFirst(s -> started_at BETWEEN s.1 AND s.2, switches), 3)
) AS a
ASOF LEFT JOIN (SELECT agent_id, valid_from, name, team FROM agents FINAL) AS g ON g.agent_id = a.team_agent AND a.team_at >= g.valid_from
LEFT JOIN (SELECT session_id, hit_states, void_hits, decided_hits, appealed_hits, conflict_hits, assignee, done FROM review_states FINAL) AS r ON r.session_id = a.session_id;

-- What opinions are counted by, in their order: one row for each opinion in a session.
CREATE TABLE IF NOT EXISTS opinion_facts (
    base       UInt64 COMMENT 'Copy that the row belongs to',
    gen        UInt64 COMMENT 'As in session_facts',
    opinion    LowCardinality(String) COMMENT 'Opinion assigned, merges not resolved',
    day        Nullable(Date) COMMENT 'As in sessions',
    session_id String COMMENT 'Session',
    customer   UInt64 COMMENT 'Hash of the customer, of a session without one of the session',
    mentions   UInt32 COMMENT 'Mentions of the opinion in the session'
) ENGINE = {{replicated}}MergeTree PARTITION BY base ORDER BY (opinion, day)
SETTINGS allow_nullable_key = 1
COMMENT 'Opinions in sessions: a copy, in the order of opinions';


-- Opinions without what is counted of them.
CREATE OR REPLACE VIEW opinion_heads (
    opinion_id String COMMENT 'As in opinions, like all that follows',
    title      String COMMENT 'Title',
    aspect     String COMMENT 'Aspect',
    product    String COMMENT 'Product',
    kind       String COMMENT 'Kind',
    polarity   String COMMENT 'Polarity side',
    department String COMMENT 'Department',
    status     String COMMENT 'Status',
    fixed_on   Nullable(Date) COMMENT 'Day it was fixed',
    owner      String COMMENT 'Owner',
    note       String COMMENT 'Last remark',
    answer     String COMMENT 'Approved answer'
) AS
SELECT opinion_id,
    if(countIf(action = 'rename') > 0, argMaxIf(title, event_id, action = 'rename'), argMaxIf(title, event_id, action IN ('found', 'title', 'split'))) AS title,
    argMaxIf(aspect, event_id, aspect != '') AS aspect, argMaxIf(product, event_id, product != '') AS product,
    argMaxIf(kind, event_id, kind != '') AS kind, argMaxIf(polarity, event_id, polarity != '') AS polarity,
    argMaxIf(department, event_id, department != '') AS department,
    if(countIf(status != '') = 0, 'new', argMaxIf(status, event_id, status != '')) AS status,
    argMaxIf(fixed_on, event_id, action = 'status') AS fixed_on, argMaxIf(owner, event_id, owner != '') AS owner,
    argMaxIf(note, event_id, note != '') AS note, argMaxIf(answer, event_id, answer != '') AS answer
FROM (SELECT event_id, action, opinion_id, title, aspect, product, kind, polarity, department, status, fixed_on, owner, note, answer FROM opinion_events FINAL WHERE action != 'reset')
WHERE opinion_id NOT IN (SELECT opinion_id FROM opinion_redirects)
GROUP BY opinion_id
HAVING argMaxIf(action, event_id, action IN ('found', 'split', 'retire')) != 'retire';

-- The same views as before; what stood on active_analyses, which plans all its columns, now names its own.
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
FROM (
    WITH (SELECT groupArray((`from`, `to`, run_id)) FROM (SELECT `from`, `to`, run_id FROM run_switches ORDER BY at DESC, run_id DESC)) AS switches
    SELECT session_id, started_at, shop, closed, agent_id AS agent, turn_seq, turn_role, turn_agent, turn_at, turn_text, turn_emotion, turn_polarity, turn_auto, turn_start_ms, turn_end_ms, turn_confidence, arrayResize(turn_language, length(turn_seq)) AS turn_language
    FROM analyses FINAL
    WHERE run_id = tupleElement(arrayFirst(s -> started_at BETWEEN s.1 AND s.2, switches), 3)
)
ARRAY JOIN turn_seq AS seq, turn_role AS role, turn_agent AS speaker, turn_at AS at, turn_text AS text, turn_emotion AS emotion,
    turn_polarity AS polarity, turn_auto AS auto, turn_start_ms AS start_ms, turn_end_ms AS end_ms, turn_confidence AS confidence,
    turn_language AS language, arrayEnumerate(turn_seq) AS position;

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
FROM (
    WITH (SELECT groupArray((`from`, `to`, run_id)) FROM (SELECT `from`, `to`, run_id FROM run_switches ORDER BY at DESC, run_id DESC)) AS switches
    SELECT session_id, started_at, shop, customer_id, closed, mention_id, mention_turn, mention_text, mention_start, mention_end, mention_kind, mention_aspect, mention_valuable, mention_product, mention_polarity, mention_opinion, mention_department
    FROM analyses FINAL
    WHERE run_id = tupleElement(arrayFirst(s -> started_at BETWEEN s.1 AND s.2, switches), 3)
)
ARRAY JOIN mention_turn AS seq, mention_id, mention_text AS text, mention_start AS start, mention_end AS end, mention_kind AS kind,
    mention_aspect AS aspect, mention_valuable AS valuable, mention_product AS product, mention_polarity AS polarity,
    mention_opinion AS opinion, mention_department AS department;

CREATE OR REPLACE VIEW outcomes (
    session_id String COMMENT 'Session',
    rule_id    String COMMENT 'Rule',
    outcome    String COMMENT 'pass, fail, na, present, absent',
    day        Nullable(Date) COMMENT 'Day of the start of the session in the configured timezone',
    closed     Bool COMMENT 'Whether the session has ended'
) AS
SELECT session_id, rule_id, outcome, toDate(started_at, '{{timezone}}') AS day, closed
FROM (
    WITH (SELECT groupArray((`from`, `to`, run_id)) FROM (SELECT `from`, `to`, run_id FROM run_switches ORDER BY at DESC, run_id DESC)) AS switches
    SELECT session_id, started_at, closed, outcome_rule, outcome_value
    FROM analyses FINAL
    WHERE run_id = tupleElement(arrayFirst(s -> started_at BETWEEN s.1 AND s.2, switches), 3)
)
ARRAY JOIN outcome_rule AS rule_id, outcome_value AS outcome;

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
FROM (
    WITH (SELECT groupArray((`from`, `to`, run_id)) FROM (SELECT `from`, `to`, run_id FROM run_switches ORDER BY at DESC, run_id DESC)) AS switches
    SELECT session_id, shop, channel, source, customer_id, closed, round_agent, round_asked_at, round_replied_at, round_reply_ms, round_turn, round_reply, round_customers, round_replies, round_first
    FROM analyses FINAL
    WHERE run_id = tupleElement(arrayFirst(s -> started_at BETWEEN s.1 AND s.2, switches), 3)
)
ARRAY JOIN round_agent AS agent_id, round_asked_at AS asked_at, round_replied_at AS replied_at, round_reply_ms AS reply_ms, round_turn AS seq,
    round_reply AS reply_seq, round_customers AS customer_turns, round_replies AS valid_replies, round_first AS first;

-- Cells of figures of people as kpi_cells gives them, which takes seconds to work out: made day by day when they are first
-- asked for, and again where anything that they are worked out from has changed (pipeline/warehouse/kpi_facts.go).
CREATE TABLE IF NOT EXISTS kpi_facts (
    profile       LowCardinality(String) COMMENT 'Profile',
    made          UInt64 COMMENT 'Making that the row belongs to; readers know which one counts for a day',
    made_at       DateTime DEFAULT now() COMMENT 'When; rows are dropped after a week',
    agent_id      LowCardinality(String) COMMENT 'As in kpi_cells, like all that follows',
    shop          LowCardinality(String) COMMENT 'Shop',
    channel       LowCardinality(String) COMMENT 'Channel',
    source        LowCardinality(String) COMMENT 'Source system',
    business      LowCardinality(String) COMMENT 'Business',
    day           Date COMMENT 'Day of the cell',
    session_id    String COMMENT 'Session',
    customer      String COMMENT 'Customer, of a session without one the session',
    rounds        UInt64 COMMENT 'Rounds',
    answered      UInt32 COMMENT 'Rounds in avg_reply_ms',
    mean_ms       Int64 COMMENT 'Their waits, ms',
    firsts        UInt32 COMMENT 'First rounds in first_reply_ms',
    first_ms      Int64 COMMENT 'Their waits, ms',
    units         UInt32 COMMENT 'What within_* is a share of',
    units_30      UInt32 COMMENT 'Those within 30 s',
    units_180     UInt32 COMMENT 'Those within 180 s',
    units_300     UInt32 COMMENT 'Those within 300 s',
    ordered       UInt8 COMMENT 'An order of that shop was created on the day',
    is_fresh      UInt8 COMMENT 'No order before the session',
    is_bought     UInt8 COMMENT 'Fresh, and bought after it',
    replies       UInt64 COMMENT 'Valid replies',
    questions     UInt64 COMMENT 'Customer turns',
    sessions      UInt8 COMMENT 'Counts as a session of the agent',
    rated         UInt8 COMMENT 'Rated',
    satisfied     UInt8 COMMENT 'Rated as satisfied',
    invited       UInt8 COMMENT 'Invited to rate',
    quality       Bool COMMENT 'Counts in score and hit_rate',
    last          Bool COMMENT 'The agent was the last one',
    score         Nullable(Float64) COMMENT 'Score',
    severe        Bool COMMENT 'A major or critical hit of the agent',
    hits          UInt64 COMMENT 'Hits of the agent',
    appealed      UInt64 COMMENT 'Those appealed',
    decided       UInt64 COMMENT 'Appeals decided',
    won           UInt64 COMMENT 'Appeals won',
    order_id      String COMMENT 'Order, of rows about orders',
    orders        UInt8 COMMENT '1 of rows about orders',
    sales         Decimal(38, 4) COMMENT 'Amount',
    net           Decimal(38, 4) COMMENT 'Amount without what was refunded',
    pieces        Nullable(Int64) COMMENT 'Pieces',
    priced        Decimal(38, 4) COMMENT 'Price x pieces',
    priced_pieces Int64 COMMENT 'Pieces with a price',
    aspect        LowCardinality(String) COMMENT 'Aspect of the first mention',
    team          LowCardinality(String) COMMENT 'Team'
) ENGINE = {{replicated}}MergeTree ORDER BY (profile, day, made, agent_id)
TTL made_at + INTERVAL 7 DAY
COMMENT 'Cells of figures of people, made when they are asked for';
