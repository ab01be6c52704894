-- Figures of people: profiles of platforms as data, one list of formulas for agents, teams, shops and channels, and what is
-- behind each figure. Everything is computed when it is asked for: a late order, an imported team or a switched run is in
-- it at once.

CREATE TABLE IF NOT EXISTS kpi_profile_rows (
    profile         String COMMENT 'Name of the profile',
    version         UInt32 DEFAULT 1 COMMENT 'Version of its definitions; the greatest counts',
    opens           Array(UInt16) DEFAULT [0, 0, 0, 0, 0, 0, 0] COMMENT 'Monday to Sunday: minute of the day from which a question counts in response figures',
    closes          Array(UInt16) DEFAULT [1440, 1440, 1440, 1440, 1440, 1440, 1440] COMMENT 'Monday to Sunday: first minute of the day that no longer counts',
    cap_ms          UInt32 DEFAULT 0 COMMENT 'avg_reply_ms: what a longer wait counts, ms; 0 = as it is',
    unanswered_ms   UInt32 DEFAULT 0 COMMENT 'avg_reply_ms: what a question counts that nobody answered, ms; 0 = not at all',
    automatic_only  Bool DEFAULT true COMMENT 'A question that only got automatic answers counts as unanswered; false: in no response figure',
    passed_on       Bool DEFAULT false COMMENT 'Who spoke last and left the answer to another has an unanswered question',
    automatic_reply Bool DEFAULT false COMMENT 'Once a person has answered, an automatic reply answers too',
    bot_waits       Bool DEFAULT true COMMENT 'first_reply_ms: time with a bot counts',
    within_of       String DEFAULT 'rounds' COMMENT 'within_*: a share of rounds, of messages (of customers) or of sessions (of an agent on a day, in which nobody waited longer)',
    lookback_days   UInt16 DEFAULT 15 COMMENT 'pre_order: days before the session without an order',
    order_hours     UInt16 DEFAULT 24 COMMENT 'conversion: hours after the start of the session in which the order is created',
    pay_hours       UInt16 DEFAULT 96 COMMENT 'conversion: hours after it until which it is paid; 0 = an unpaid order counts',
    sales_hours     UInt16 DEFAULT 24 COMMENT 'sales: hours before an order in which an agent replied to the customer',
    attribution     String DEFAULT 'last' COMMENT 'sales: whose the order is of the agents who replied: last, first, or only (nobody''s where there are several)',
    lag_days        UInt16 DEFAULT 4 COMMENT 'Days until is_final',
    verified        Bool DEFAULT false COMMENT 'Checked against the platform''s own definitions',
    note            String COMMENT 'Where the definitions come from'
) ENGINE = {{replicated}}ReplacingMergeTree(version) ORDER BY profile
COMMENT 'How figures are counted, by platform';

-- The definitions of the platforms are what third parties describe: unverified, and platforms change theirs without notice.
-- A row of a greater version, or of another name, is all it takes to count otherwise.
INSERT INTO kpi_profile_rows (profile, verified, note) VALUES ('generic', true, 'Definitions of this program');
INSERT INTO kpi_profile_rows (profile, opens, closes, cap_ms, unanswered_ms, automatic_only, passed_on, note)
VALUES ('taobao', [480, 480, 480, 480, 480, 480, 480], [1380, 1380, 1380, 1380, 1380, 1380, 1380], 600000, 600000, false, true, 'Third-party descriptions of Wangwang figures, unverified');
INSERT INTO kpi_profile_rows (profile, opens, closes, within_of, pay_hours, lag_days, note)
VALUES ('jd', [540, 540, 540, 540, 540, 540, 540], [1380, 1380, 1380, 1380, 1380, 1380, 1380], 'messages', 0, 1, 'Third-party descriptions of Dongdong figures, unverified');
INSERT INTO kpi_profile_rows (profile, automatic_reply, bot_waits, within_of, note)
VALUES ('douyin', true, false, 'sessions', 'Third-party descriptions of Feige figures, unverified');

CREATE OR REPLACE VIEW kpi_profiles (
    profile         String COMMENT 'Name of the profile',
    version         UInt32 COMMENT 'Version of its definitions',
    opens           Array(UInt16) COMMENT 'Monday to Sunday: minute of the day from which a question counts in response figures',
    closes          Array(UInt16) COMMENT 'Monday to Sunday: first minute of the day that no longer counts',
    cap_ms          UInt32 COMMENT 'avg_reply_ms: what a longer wait counts, ms; 0 = as it is',
    unanswered_ms   UInt32 COMMENT 'avg_reply_ms: what a question counts that nobody answered, ms; 0 = not at all',
    automatic_only  Bool COMMENT 'A question that only got automatic answers counts as unanswered; false: in no response figure',
    passed_on       Bool COMMENT 'Who spoke last and left the answer to another has an unanswered question',
    automatic_reply Bool COMMENT 'Once a person has answered, an automatic reply answers too',
    bot_waits       Bool COMMENT 'first_reply_ms: time with a bot counts',
    within_of       String COMMENT 'within_*: a share of rounds, of messages (of customers) or of sessions (of an agent on a day, in which nobody waited longer)',
    lookback_days   UInt16 COMMENT 'pre_order: days before the session without an order',
    order_hours     UInt16 COMMENT 'conversion: hours after the start of the session in which the order is created',
    pay_hours       UInt16 COMMENT 'conversion: hours after it until which it is paid; 0 = an unpaid order counts',
    sales_hours     UInt16 COMMENT 'sales: hours before an order in which an agent replied to the customer',
    attribution     String COMMENT 'sales: whose the order is of the agents who replied: last, first, or only (nobody''s where there are several)',
    lag_days        UInt16 COMMENT 'Days until is_final',
    verified        Bool COMMENT 'Checked against the platform''s own definitions',
    note            String COMMENT 'Where the definitions come from'
) AS
SELECT profile, version, opens, closes, cap_ms, unanswered_ms, automatic_only, passed_on, automatic_reply, bot_waits, within_of, lookback_days, order_hours,
    pay_hours, sales_hours, attribution, lag_days, verified, note
FROM kpi_profile_rows FINAL;

-- What the views want of a session beside its rounds, found by the program when it writes the session: between when and when
-- it lies, who was last, and who said how much in which quarter of an hour (every timezone of today is whole quarters from
-- UTC, so nothing depends on the configured one). Sessions written before these columns were there are in the figures again
-- after a rerun of their period.
ALTER TABLE analyses ADD COLUMN IF NOT EXISTS kpi_since DateTime64(3, 'UTC') DEFAULT toDateTime64('2299-01-01', 3, 'UTC') COMMENT 'Earliest time in the session, 2299 without any';
ALTER TABLE analyses ADD COLUMN IF NOT EXISTS kpi_until DateTime64(3, 'UTC') COMMENT 'Latest time in the session, 1970 without any';
ALTER TABLE analyses ADD COLUMN IF NOT EXISTS kpi_agent String COMMENT 'Agent of the last turn of an agent, else the one that the session names';
ALTER TABLE analyses ADD COLUMN IF NOT EXISTS kpi_run_agent Array(String) COMMENT 'Valid replies and customer turns in a row of one agent and quarter: the agent, of customer turns the one of their round. All kpi_run_ arrays run alike';
ALTER TABLE analyses ADD COLUMN IF NOT EXISTS kpi_run_quarter Array(Int32) COMMENT 'Quarter of an hour, counted from 1970 UTC';
ALTER TABLE analyses ADD COLUMN IF NOT EXISTS kpi_run_replies Array(UInt32) COMMENT 'Valid replies';
ALTER TABLE analyses ADD COLUMN IF NOT EXISTS kpi_run_questions Array(UInt32) COMMENT 'Customer turns';
ALTER TABLE analyses ADD COLUMN IF NOT EXISTS kpi_reply_agent Array(String) COMMENT 'Valid replies with a time: the agent. All kpi_reply_ arrays run alike';
ALTER TABLE analyses ADD COLUMN IF NOT EXISTS kpi_reply_at Array(DateTime64(3, 'UTC')) COMMENT 'Their times';
ALTER TABLE analyses ADD COLUMN IF NOT EXISTS kpi_round_passer Array(String) COMMENT 'By round: agent who spoke last before the reply of another agent, else empty';
ALTER TABLE analyses ADD COLUMN IF NOT EXISTS kpi_excused Bool COMMENT 'The last round has no reply, but a bot or an automatic reply answered';
ALTER TABLE analyses ADD COLUMN IF NOT EXISTS kpi_first_ms Nullable(Int64) COMMENT 'Wait of the first round from when the last bot before the reply had stopped, ms';
ALTER TABLE analyses ADD COLUMN IF NOT EXISTS kpi_message_agent Array(String) COMMENT 'Each customer turn as a question of its own: agent of the next valid reply, else the last agent. All kpi_message_ arrays run alike';
ALTER TABLE analyses ADD COLUMN IF NOT EXISTS kpi_message_asked_at Array(Nullable(DateTime64(3, 'UTC'))) COMMENT 'When it was asked';
ALTER TABLE analyses ADD COLUMN IF NOT EXISTS kpi_message_ms Array(Nullable(Int64)) COMMENT 'Time waited, ms';
ALTER TABLE analyses ADD COLUMN IF NOT EXISTS kpi_message_answered Array(Bool) COMMENT 'Whether there was a reply';
ALTER TABLE analyses ADD COLUMN IF NOT EXISTS kpi_auto_agent Array(String) COMMENT 'Rounds that automatic replies end too, once a person has answered the first: the agent. All kpi_auto_ arrays run alike';
ALTER TABLE analyses ADD COLUMN IF NOT EXISTS kpi_auto_asked_at Array(Nullable(DateTime64(3, 'UTC'))) COMMENT 'When the customer began to wait';
ALTER TABLE analyses ADD COLUMN IF NOT EXISTS kpi_auto_ms Array(Nullable(Int64)) COMMENT 'Time waited, ms';
ALTER TABLE analyses ADD COLUMN IF NOT EXISTS kpi_auto_answered Array(Bool) COMMENT 'Whether there was a reply';
ALTER TABLE analyses ADD INDEX IF NOT EXISTS kpi_time (kpi_since, kpi_until) TYPE minmax GRANULARITY 1;

-- One row for each session, agent and day with any fact, and one for each paid order that is somebody's. An agent's rounds
-- (units of within_* likewise) lie on the day on which the customer asked, replies and questions on their own, ratings,
-- scores and hits on that of the session's start, orders on that of their payment.
CREATE OR REPLACE VIEW kpi_cells AS
WITH
    (
        SELECT any((arrayAll(x -> x = 0, opens) AND arrayAll(x -> x = 1440, closes), opens, closes, cap_ms, unanswered_ms, automatic_only, passed_on, automatic_reply,
            bot_waits, within_of, lookback_days, order_hours, pay_hours, sales_hours, attribution)::Tuple(always Bool, opens Array(UInt16), closes Array(UInt16), cap_ms UInt32, unanswered_ms UInt32, automatic_only Bool, passed_on Bool, automatic_reply Bool,
                bot_waits Bool, within_of String, lookback_days UInt16, order_hours UInt16, pay_hours UInt16, sales_hours UInt16, attribution String))
        FROM kpi_profile_rows FINAL
        WHERE profile = {profile:String}
        HAVING throwIf(count() = 0, 'unknown KPI profile; the view kpi_profiles lists those that are known') = 0
    ) AS p,
    toDateTime64(toString({from:Date}), 3, '{{timezone}}') AS since,
    toDateTime64(toString({to:Date} + 1), 3, '{{timezone}}') AS until,
    (SELECT groupArray((`from`, `to`, run_id)) FROM (SELECT `from`, `to`, run_id FROM run_switches ORDER BY at DESC, run_id DESC)) AS switches,
    -- What can matter for the period, so that the other tables need not be read whole.
    (
        SELECT (ifNull(least(min(started_at), since), since), min(session_id), max(session_id))
        FROM analyses
        WHERE kpi_until >= since AND kpi_since < until
    ) AS touched,
    (
        SELECT (max(if(agent_id = '', NULL, ifNull(created_at, paid_at))), min(if(agent_id = '', ifNull(created_at, paid_at), NULL)), max(if(agent_id = '', ifNull(created_at, paid_at), NULL)))
        FROM order_rows
        WHERE paid_at >= since AND paid_at < until
    ) AS ordering,
    paid AS (
        SELECT order_id, shop, customer_id, agent_id, ifNull(created_at, assumeNotNull(paid_at)) AS created, toDate(assumeNotNull(paid_at), '{{timezone}}') AS paid_day,
            toDecimal128(ifNull(amount, 0), 4) AS sales, toDecimal128(sales - ifNull(refund_amount, 0), 4) AS net,
            if(empty(item_qty), NULL, arraySum(item_qty)) AS pieces, concat('c', customer_id) AS payer,
            arraySum((price, n) -> toDecimal128(ifNull(price, 0), 4) * n, item_price, item_qty) AS priced, arraySum((price, n) -> if(isNull(price), 0, n), item_price, item_qty) AS priced_pieces
        FROM order_rows FINAL
        WHERE isNotNull(paid_at) AND status != 'created' AND paid_at >= since AND paid_at < until
    )
SELECT f.* EXCEPT (own_team, team_at), if(f.own_team != '', f.own_team, g.team) AS team
FROM (
    SELECT agent AS agent_id, own_team, team_at, shop, channel, source, business, cell_day AS day, session_id, customer, rounds, answered, mean_ms, firsts, first_ms,
        if(p.within_of = 'sessions', timed > 0, timed) AS units,
        if(p.within_of = 'sessions', timed > 0 AND soon_30 = timed, soon_30) AS units_30,
        if(p.within_of = 'sessions', timed > 0 AND soon_180 = timed, soon_180) AS units_180,
        if(p.within_of = 'sessions', timed > 0 AND soon_300 = timed, soon_300) AS units_300,
        rounds > 0 AND has(order_days, cell_day) AS ordered, rounds > 0 AND fresh AS is_fresh, rounds > 0 AND fresh AND bought AS is_bought, replies, questions,
        sessions, sessions AND isNotNull(satisfaction) AS rated, sessions AND ifNull(satisfaction >= 0.8, false) AS satisfied, sessions AND is_invited AS invited,
        quality, quality AND sessions AS last, if(quality, session_score, NULL) AS score,
        judged AND has(severe_agents, agent) AS severe, if(judged, countEqual(hit_agent, agent), 0) AS hits, if(judged, countEqual(appealed_agents, agent), 0) AS appealed,
        if(judged, countEqual(decided_agents, agent), 0) AS decided, if(judged, countEqual(won_agents, agent), 0) AS won,
        '' AS order_id, 0 AS orders, toDecimal128(0, 4) AS sales, toDecimal128(0, 4) AS net, NULL AS pieces, toDecimal128(0, 4) AS priced, 0 AS priced_pieces, aspect
    FROM (
        SELECT * EXCEPT (mine, unit, said),
            arraySum((m, n) -> m * n, mine, r_count) AS rounds,
            arrayCount((m, x) -> m AND isNotNull(x), mine, r_mean) AS answered,
            arraySum((m, x) -> if(m, ifNull(x, 0), 0), mine, r_mean) AS mean_ms,
            arrayCount((m, x) -> m AND isNotNull(x), mine, r_first) AS firsts,
            arraySum((m, x) -> if(m, ifNull(x, 0), 0), mine, r_first) AS first_ms,
            arrayCount((m, t) -> m AND t, unit, w_timed) AS timed,
            arrayCount((m, x) -> m AND ifNull(x <= 30000, false), unit, w_ms) AS soon_30,
            arrayCount((m, x) -> m AND ifNull(x <= 180000, false), unit, w_ms) AS soon_180,
            arrayCount((m, x) -> m AND ifNull(x <= 300000, false), unit, w_ms) AS soon_300,
            arraySum((m, n) -> m * n, said, kpi_run_replies) AS replies,
            arraySum((m, n) -> m * n, said, kpi_run_questions) AS questions,
            has(mine, 1) AS any_round
        FROM (
            SELECT *, on_start AND agent = last_agent AS sessions, on_start AND closed AS judged, on_start AND closed AND (has(agent_ids, agent) OR agent = last_agent) AS quality,
                if(p.within_of = 'messages', arrayMap((a, d) -> a = agent AND d = cell_day, w_agent, w_day), mine) AS unit
            FROM (
                SELECT *, agent, cell_day, ifNull(cell_day = start_day, false) AS on_start,
                    arrayMap((a, d) -> a = agent AND d = cell_day, r_agent, r_day) AS mine,
                    arrayMap((a, d) -> a = agent AND d = cell_day, kpi_run_agent, run_day) AS said
                FROM (
            SELECT session_id, own_team, team_at, shop, channel, source, business, aspect, customer, closed, agent_ids, last_agent, session_score, is_invited, hit_agent, start_day, cell_agents, cell_days, r_agent, r_day, r_count, r_mean, r_first, w_agent, w_day, w_timed, w_ms, kpi_run_agent, run_day,
                kpi_run_replies, kpi_run_questions, o.order_days AS order_days, r.satisfaction AS satisfaction,
                arrayFilter((a, s) -> s IN ('major', 'critical'), hit_agent, hit_severity) AS severe_agents,
                arrayFilter((a, h) -> has(v.appealed, h), hit_agent, hit_id) AS appealed_agents,
                arrayFilter((a, h) -> has(v.decided, h), hit_agent, hit_id) AS decided_agents,
                arrayFilter((a, h) -> has(v.won, h), hit_agent, hit_id) AS won_agents,
                customer_id != '' AND isNotNull(started_at) AND NOT arrayExists(m -> m.1 >= started_at - toIntervalDay(p.lookback_days) AND m.1 < started_at, o.made) AS fresh,
                arrayExists(m -> m.1 >= started_at AND m.1 <= started_at + toIntervalHour(p.order_hours) AND (p.pay_hours = 0 OR m.2 <= started_at + toIntervalHour(p.pay_hours)), o.made) AS bought
            FROM (
                -- Units of the profile: rounds as they are stored, rounds that automatic replies end too, or messages.
                SELECT session_id, customer_id, own_team, shop, channel, source, business, aspect, started_at, closed, agent_ids, last_agent, session_score, is_invited, hit_id, hit_agent, hit_severity,
                    kpi_run_agent, kpi_run_replies, kpi_run_questions, run_day, team_at, start_day, customer, cell_agents,
                    arrayMap(i -> first_day + i, range(toUInt32(greatest(0, last_day - first_day + 1)))) AS cell_days,
                    if(p.passed_on, arrayConcat(x_agent, passed_agent), x_agent) AS r_agent,
                    if(p.passed_on, arrayConcat(x_day, passed_day), x_day) AS r_day,
                    if(p.passed_on, arrayConcat(arrayMap(x -> toUInt8(1), x_agent), arrayMap(x -> toUInt8(0), passed_agent)), arrayMap(x -> toUInt8(1), x_agent)) AS r_count,
                    if(p.passed_on, arrayConcat(x_mean, arrayMap(x -> toNullable(toInt64(p.unanswered_ms)), passed_agent)), x_mean) AS r_mean,
                    if(p.passed_on, arrayConcat(x_first, arrayMap(x -> CAST(NULL AS Nullable(Int64)), passed_agent)), x_first) AS r_first,
                    multiIf(p.within_of = 'messages', kpi_message_agent, p.passed_on, arrayConcat(x_agent, passed_agent), x_agent) AS w_agent,
                    multiIf(p.within_of = 'messages', message_day, p.passed_on, arrayConcat(x_day, passed_day), x_day) AS w_day,
                    multiIf(p.within_of = 'messages', arrayMap((k, w, a, o) -> o AND (isNotNull(w) OR NOT k AND isNotNull(a)), kpi_message_answered, kpi_message_ms, kpi_message_asked_at, message_open),
                        p.passed_on, arrayConcat(x_timed, arrayMap(x -> true, passed_agent)), x_timed) AS w_timed,
                    multiIf(p.within_of = 'messages', arrayMap((w, o) -> if(o, w, NULL), kpi_message_ms, message_open),
                        p.passed_on, arrayConcat(x_within, arrayMap(x -> CAST(NULL AS Nullable(Int64)), passed_agent)), x_within) AS w_ms
                FROM (
                    SELECT session_id, customer_id, own_team, shop, channel, source, business, aspect, started_at, closed, agent_ids, last_agent, session_score, is_invited, hit_id, hit_agent, hit_severity,
                        kpi_run_agent, kpi_run_replies, kpi_run_questions, run_day, team_at, start_day, customer, cell_agents, first_day, last_day, x_agent, x_day,
                        kpi_message_agent, kpi_message_asked_at, kpi_message_ms, kpi_message_answered, message_day, message_open,
                        -- A wait across midnight is longer than any cap of a profile that closes before, so the day of the reply needs no look.
                        if(p.always AND p.cap_ms = 0 AND p.unanswered_ms = 0, x_ms, arrayMap((w, k, a, o) -> multiIf(NOT o, NULL, isNotNull(w), if(p.cap_ms > 0 AND w > p.cap_ms, toInt64(p.cap_ms), w),
                            k OR isNull(a) OR p.unanswered_ms = 0 OR NOT p.automatic_only AND excused, NULL, toInt64(p.unanswered_ms)), x_ms, x_answered, x_asked_at, x_open)) AS x_mean,
                        arrayMap((w, f, o) -> if(f AND o, w, NULL), if(p.bot_waits, x_ms, arrayMap(x -> kpi_first_ms, x_ms)), arrayMap(i -> i = 1, arrayEnumerate(x_ms)), x_open) AS x_first,
                        arrayMap((w, k, a, o) -> o AND (isNotNull(w) OR NOT k AND isNotNull(a) AND (p.automatic_only OR NOT excused)), x_ms, x_answered, x_asked_at, x_open) AS x_timed,
                        if(p.always, x_ms, arrayMap((w, o) -> if(o, w, NULL), x_ms, x_open)) AS x_within,
                        arrayFilter((s, o) -> s != '' AND o, kpi_round_passer, x_open) AS passed_agent,
                        arrayFilter((d, s, o) -> s != '' AND o, x_day, kpi_round_passer, x_open) AS passed_day
                    FROM (
                        SELECT session_id, customer_id, team AS own_team, shop, channel, source, business, mention_aspect[1] AS aspect, started_at, closed, agent_ids, kpi_agent AS last_agent, score AS session_score,
                            lower(attributes['invited']) IN ('true', '1', 'yes') AS is_invited, hit_id, hit_agent, hit_severity, kpi_excused AS excused, kpi_first_ms, kpi_round_passer,
                            kpi_run_agent, kpi_run_replies, kpi_run_questions, arrayMap(q -> toDate(toDateTime(q * 900, 'UTC'), '{{timezone}}'), kpi_run_quarter) AS run_day,
                            ifNull(started_at, toDateTime64('2299-01-01', 3, 'UTC')) AS team_at, toDate(started_at, '{{timezone}}') AS start_day,
                            if(customer_id != '', concat('c', customer_id), concat('s', session_id)) AS customer,
                            arrayFilter(x -> x != '', arrayDistinct(arrayConcat(agent_ids, [kpi_agent], hit_agent))) AS cell_agents,
                            greatest(toDate(kpi_since, '{{timezone}}'), {from:Date}) AS first_day, least(toDate(kpi_until, '{{timezone}}'), {to:Date}) AS last_day,
                            if(p.automatic_reply, kpi_auto_agent, round_agent) AS x_agent,
                            if(p.automatic_reply, kpi_auto_asked_at, round_asked_at) AS x_asked_at,
                            if(p.automatic_reply, kpi_auto_ms, round_reply_ms) AS x_ms,
                            if(p.automatic_reply, kpi_auto_answered, arrayMap(n -> isNotNull(n)::Bool, round_reply)) AS x_answered,
                            kpi_message_agent, kpi_message_asked_at, kpi_message_ms, kpi_message_answered,
                            arrayMap(a -> toDate(ifNull(ifNull(a, started_at), toDateTime64('1970-01-01', 3, 'UTC')), '{{timezone}}'), x_asked_at) AS x_day,
                            arrayMap(a -> toDate(ifNull(ifNull(a, started_at), toDateTime64('1970-01-01', 3, 'UTC')), '{{timezone}}'), kpi_message_asked_at) AS message_day,
                            arrayMap(a -> p.always OR ifNull(toHour(a, '{{timezone}}') * 60 + toMinute(a, '{{timezone}}') >= p.opens[toDayOfWeek(a, 0, '{{timezone}}')]
                                AND toHour(a, '{{timezone}}') * 60 + toMinute(a, '{{timezone}}') < p.closes[toDayOfWeek(a, 0, '{{timezone}}')], false), x_asked_at) AS x_open,
                            arrayMap(a -> p.always OR ifNull(toHour(a, '{{timezone}}') * 60 + toMinute(a, '{{timezone}}') >= p.opens[toDayOfWeek(a, 0, '{{timezone}}')]
                                AND toHour(a, '{{timezone}}') * 60 + toMinute(a, '{{timezone}}') < p.closes[toDayOfWeek(a, 0, '{{timezone}}')], false), kpi_message_asked_at) AS message_open
                        FROM analyses FINAL
                        WHERE kpi_until >= since AND kpi_since < until
                            AND run_id = if(empty(switches), 0, tupleElement(arrayFirst(s -> started_at BETWEEN s.1 AND s.2, switches), 3))
                    )
                )
            ) AS a
            LEFT JOIN (
                SELECT customer_id AS order_customer, shop AS order_shop, groupUniqArray(toDate(created_at, '{{timezone}}')) AS order_days,
                    groupArray((assumeNotNull(created_at), ifNull(if(status = 'created', NULL, paid_at), toDateTime64('2299-01-01', 3, 'UTC')))) AS made
                FROM order_rows FINAL
                WHERE customer_id != '' AND created_at >= touched.1 - toIntervalDay(p.lookback_days) AND created_at < until + toIntervalHour(p.order_hours)
                GROUP BY order_customer, order_shop
            ) AS o ON o.order_customer = a.customer_id AND o.order_shop = a.shop
            LEFT JOIN (
                SELECT session_id AS rated_session, toNullable(score / max) AS satisfaction FROM rating_rows FINAL WHERE session_id BETWEEN touched.2 AND touched.3
            ) AS r ON r.rated_session = a.session_id
            LEFT JOIN (
                SELECT session_id AS reviewed_session, groupArray(hit) AS appealed, groupArrayIf(hit, decisions > 0) AS decided, groupArrayIf(hit, decisions > 0 AND final = 'overturn') AS won
                FROM (
                    SELECT session_id, hit_id AS hit, countIf(action IN ('uphold', 'overturn')) AS decisions, argMaxIf(action, event_id, action IN ('uphold', 'overturn')) AS final
                    FROM review_events FINAL
                    WHERE hit_id != '' AND session_id BETWEEN touched.2 AND touched.3
                    GROUP BY session_id, hit_id
                    HAVING countIf(action = 'appeal') > 0
                )
                GROUP BY reviewed_session
            ) AS v ON v.reviewed_session = a.session_id
                )
                ARRAY JOIN cell_agents AS agent
                ARRAY JOIN cell_days AS cell_day
            )
        )
    )
    WHERE any_round OR timed > 0 OR replies > 0 OR questions > 0 OR sessions OR quality OR hits > 0
    UNION ALL
    -- Paid orders that name their agent: team and channel are those of that agent's latest session before.
    SELECT o.agent_id AS agent_id, s.own_team AS own_team, ifNull(s.started, o.created) AS team_at, o.shop AS shop, s.channel AS channel, s.source AS source, s.business AS business,
        o.paid_day AS day, s.session_id AS session_id, o.payer AS customer, 0 AS rounds, 0 AS answered, 0 AS mean_ms, 0 AS firsts, 0 AS first_ms, 0 AS units, 0 AS units_30, 0 AS units_180, 0 AS units_300,
        false AS ordered, false AS is_fresh, false AS is_bought, 0 AS replies, 0 AS questions, false AS sessions, false AS rated, false AS satisfied, false AS invited, false AS quality,
        false AS last, NULL AS score, false AS severe, 0 AS hits, 0 AS appealed, 0 AS decided, 0 AS won,
        o.order_id AS order_id, 1 AS orders, o.sales AS sales, o.net AS net, o.pieces AS pieces, o.priced AS priced, o.priced_pieces AS priced_pieces, '' AS aspect
    FROM (SELECT *, bitOr(bitShiftLeft(toUnixTimestamp64Milli(created), 16), 65535) AS created_key FROM paid WHERE agent_id != '') AS o
    ASOF LEFT JOIN (
        -- The id decides between sessions of one instant.
        SELECT agent, bitOr(bitShiftLeft(toUnixTimestamp64Milli(assumeNotNull(started_at)), 16), toInt64(cityHash64(session_id) % 65536)) AS started_key, toNullable(assumeNotNull(started_at)) AS started,
            session_id, team AS own_team, channel, source, business
        FROM analyses FINAL
        ARRAY JOIN agent_ids AS agent
        WHERE isNotNull(started_at) AND kpi_since <= ifNull(ordering.1, toDateTime64('1970-01-01', 3, 'UTC')) AND agent IN (SELECT agent_id FROM paid WHERE agent_id != '')
            AND run_id = if(empty(switches), 0, tupleElement(arrayFirst(s -> started_at BETWEEN s.1 AND s.2, switches), 3))
    ) AS s ON s.agent = o.agent_id AND o.created_key >= s.started_key
    UNION ALL
    -- Other paid orders: of the agents with a valid reply to that customer and shop shortly before, the one of the profile's rule.
    SELECT winner.3 AS agent_id, winner.4 AS own_team, winner.5 AS team_at, shop, winner.6 AS channel, winner.7 AS source, winner.8 AS business, paid_day AS day,
        winner.2 AS session_id, payer AS customer, 0 AS rounds, 0 AS answered, 0 AS mean_ms, 0 AS firsts, 0 AS first_ms, 0 AS units, 0 AS units_30, 0 AS units_180, 0 AS units_300,
        false AS ordered, false AS is_fresh, false AS is_bought, 0 AS replies, 0 AS questions, false AS sessions, false AS rated, false AS satisfied, false AS invited, false AS quality,
        false AS last, NULL AS score, false AS severe, 0 AS hits, 0 AS appealed, 0 AS decided, 0 AS won,
        order_id, 1 AS orders, sales, net, pieces, priced, priced_pieces, '' AS aspect
    FROM (
        SELECT o.*, arraySort(arrayFilter(x -> x.1 <= o.created AND x.1 >= o.created - toIntervalHour(p.sales_hours), s.replied)) AS who,
            if(p.attribution = 'first', who[1], who[-1]) AS winner
        FROM (SELECT * FROM paid WHERE agent_id = '' AND customer_id != '') AS o
        INNER JOIN (
            SELECT customer_id, shop, groupArrayArray(arrayMap((t, a) -> (t, session_id, a, team, ifNull(started_at, toDateTime64('2299-01-01', 3, 'UTC')), channel, source, business), kpi_reply_at, kpi_reply_agent)) AS replied
            FROM analyses FINAL
            WHERE kpi_until >= ifNull(ordering.2, toDateTime64('2299-01-01', 3, 'UTC')) - toIntervalHour(p.sales_hours) AND kpi_since <= ifNull(ordering.3, toDateTime64('1970-01-01', 3, 'UTC'))
                AND customer_id IN (SELECT customer_id FROM paid WHERE agent_id = '' AND customer_id != '') AND notEmpty(kpi_reply_at)
                AND run_id = if(empty(switches), 0, tupleElement(arrayFirst(s -> started_at BETWEEN s.1 AND s.2, switches), 3))
            GROUP BY customer_id, shop
        ) AS s ON s.customer_id = o.customer_id AND s.shop = o.shop
    )
    WHERE notEmpty(who) AND (p.attribution != 'only' OR arrayUniq(arrayMap(x -> x.3, who)) = 1)
) AS f
ASOF LEFT JOIN (SELECT agent_id, valid_from, team FROM agents FINAL) AS g ON g.agent_id = f.agent_id AND f.team_at >= g.valid_from;

-- Rows of figures: by = agent, team, shop or channel; pool = 1 gives one row for the whole period, else one a day. An empty
-- list lets everything through. A team's session counts once for its mean score, with its last agent.
CREATE OR REPLACE VIEW kpi_rows AS
SELECT
    if({by:String} = 'agent', f.agent_id, '') AS agent_id,
    if({by:String} IN ('agent', 'team'), f.team, '') AS team,
    if({by:String} IN ('agent', 'shop'), f.shop, '') AS shop,
    if({by:String} = 'channel', f.channel, '') AS channel,
    if({by:String} = 'channel', f.source, '') AS source,
    if({pool:UInt8} = 1, {from:Date}, f.day) AS day,
    uniqExactIf(customer, f.rounds > 0) AS received,
    sum(f.rounds) AS rounds,
    sum(mean_ms) / nullIf(sum(answered), 0) AS avg_reply_ms,
    sum(first_ms) / nullIf(sum(firsts), 0) AS first_reply_ms,
    sum(units_30) / nullIf(sum(units), 0) AS within_30s,
    sum(units_180) / nullIf(sum(units), 0) AS within_180s,
    sum(units_300) / nullIf(sum(units), 0) AS within_300s,
    uniqExactIf(customer, ordered) / nullIf(received, 0) AS order_rate,
    uniqExactIf(customer, is_fresh) AS pre_order,
    uniqExactIf(customer, is_bought) / nullIf(pre_order, 0) AS conversion,
    sum(f.sales) AS sales,
    sum(net) AS net_sales,
    toFloat64(sales) / nullIf(uniqExactIf(customer, orders > 0), 0) AS basket,
    sum(pieces) / nullIf(uniqExactIf(customer, isNotNull(pieces)), 0) AS items_per_customer,
    sum(replies) / nullIf(sum(questions), 0) AS answer_ratio,
    countIf(satisfied) / nullIf(countIf(rated), 0) AS csat,
    countIf(invited) / nullIf(countIf(sessions), 0) AS invite_rate,
    avgOrNullIf(f.score, {by:String} = 'agent' OR last) AS score,
    if({by:String} = 'agent', countIf(severe) / nullIf(countIf(quality), 0), uniqExactIf(session_id, severe) / nullIf(uniqExactIf(session_id, quality), 0)) AS hit_rate,
    sum(appealed) / nullIf(sum(hits), 0) AS appeal_rate,
    sum(won) / nullIf(sum(decided), 0) AS appeal_won_rate,
    (if({pool:UInt8} = 1, {to:Date}, day) + (SELECT any(lag_days) FROM kpi_profile_rows FINAL WHERE profile = {profile:String}) < {as_of:Date})::Bool AS is_final,
    toFloat64(sum(priced)) / nullIf(sum(priced_pieces), 0) AS item_price
FROM kpi_cells(profile = {profile:String}, from = {from:Date}, to = {to:Date}) AS f
WHERE throwIf({by:String} NOT IN ('agent', 'team', 'shop', 'channel'), 'by is agent, team, shop or channel') = 0
    AND (empty({agents:Array(String)}) OR has({agents:Array(String)}, f.agent_id))
    AND (empty({teams:Array(String)}) OR has({teams:Array(String)}, f.team))
    AND (empty({shops:Array(String)}) OR has({shops:Array(String)}, f.shop))
    AND (empty({channels:Array(String)}) OR has({channels:Array(String)}, f.channel))
    AND (empty({businesses:Array(String)}) OR has({businesses:Array(String)}, f.business))
GROUP BY agent_id, team, shop, channel, source, day;

-- What a figure is made of, session by session: bottom counts in its denominator (or in the mean), top in its numerator.
-- Of figures about orders each order is a row.
CREATE OR REPLACE VIEW kpi_sessions AS
SELECT session_id, order_id AS object, f.day AS day, f.agent_id AS agent_id, f.team AS team, f.shop AS shop, if(startsWith(customer, 'c'), substring(customer, 2), '') AS customer_id,
    toUInt64(multiIf(
        wanted IN ('received', 'rounds', 'order_rate'), f.rounds,
        wanted = 'avg_reply_ms', answered,
        wanted = 'first_reply_ms', firsts,
        wanted IN ('within_30s', 'within_180s', 'within_300s'), units,
        wanted IN ('pre_order', 'conversion'), if(is_fresh, f.rounds, 0),
        wanted IN ('sales', 'net_sales', 'basket'), orders,
        wanted = 'items_per_customer', isNotNull(pieces),
        wanted = 'item_price', priced_pieces,
        wanted = 'answer_ratio', questions,
        wanted = 'csat', rated,
        wanted = 'invite_rate', sessions,
        wanted = 'score', isNotNull(f.score) AND ({by:String} = 'agent' OR last),
        wanted = 'hit_rate', quality,
        wanted = 'appeal_rate', hits,
        wanted = 'appeal_won_rate', decided,
        0)) AS bottom,
    toUInt64(multiIf(
        wanted = 'within_30s', units_30,
        wanted = 'within_180s', units_180,
        wanted = 'within_300s', units_300,
        wanted = 'order_rate', if(ordered, f.rounds, 0),
        wanted = 'conversion', if(is_bought, f.rounds, 0),
        wanted = 'answer_ratio', replies,
        wanted = 'csat', satisfied,
        wanted = 'invite_rate', invited,
        wanted = 'hit_rate', severe,
        wanted = 'appeal_rate', appealed,
        wanted = 'appeal_won_rate', won,
        bottom)) AS top,
    multiIf(
        wanted IN ('avg_reply_ms', 'within_30s', 'within_180s', 'within_300s'), if(answered > 0, toFloat64(mean_ms), NULL),
        wanted = 'first_reply_ms', toNullable(toFloat64(first_ms)),
        wanted IN ('sales', 'basket'), toNullable(toFloat64(f.sales)),
        wanted = 'net_sales', toNullable(toFloat64(net)),
        wanted = 'items_per_customer', toFloat64(pieces),
        wanted = 'item_price', toNullable(toFloat64(priced)),
        wanted = 'score', f.score,
        NULL) AS value
FROM (SELECT *, {figure:String} AS wanted FROM kpi_cells(profile = {profile:String}, from = {from:Date}, to = {to:Date})) AS f
WHERE (bottom > 0 OR top > 0)
    AND (empty({agents:Array(String)}) OR has({agents:Array(String)}, f.agent_id))
    AND (empty({teams:Array(String)}) OR has({teams:Array(String)}, f.team))
    AND (empty({shops:Array(String)}) OR has({shops:Array(String)}, f.shop))
    AND (empty({channels:Array(String)}) OR has({channels:Array(String)}, f.channel))
    AND (empty({businesses:Array(String)}) OR has({businesses:Array(String)}, f.business));

-- What each agent has of the figures that are told beside others, in sessions of one shop, business and aspect of the first
-- opinion mention: numerators and denominators in the order of the program's list.
CREATE OR REPLACE VIEW kpi_strata AS
SELECT f.agent_id AS agent_id, f.team AS team, f.shop AS shop, f.business AS business, f.aspect AS aspect,
    arrayMap(x -> toFloat64(x), [sum(mean_ms), sum(first_ms), sum(units_180), countIf(is_bought), sum(replies), countIf(satisfied), sum(ifNull(f.score, 0)), countIf(severe)]) AS top,
    arrayMap(x -> toFloat64(x), [sum(answered), sum(firsts), sum(units), countIf(is_fresh), sum(questions), countIf(rated), count(f.score), countIf(quality)]) AS bottom
FROM kpi_cells(profile = {profile:String}, from = {from:Date}, to = {to:Date}) AS f
WHERE orders = 0
    AND (empty({agents:Array(String)}) OR has({agents:Array(String)}, f.agent_id))
    AND (empty({teams:Array(String)}) OR has({teams:Array(String)}, f.team))
    AND (empty({shops:Array(String)}) OR has({shops:Array(String)}, f.shop))
    AND (empty({channels:Array(String)}) OR has({channels:Array(String)}, f.channel))
    AND (empty({businesses:Array(String)}) OR has({businesses:Array(String)}, f.business))
GROUP BY agent_id, team, shop, business, aspect;

CREATE OR REPLACE VIEW agent_kpi AS
SELECT agent_id, team, shop, day,
    uniqExactIf(customer, f.rounds > 0) AS received,
    sum(f.rounds) AS rounds,
    sum(mean_ms) / nullIf(sum(answered), 0) AS avg_reply_ms,
    sum(first_ms) / nullIf(sum(firsts), 0) AS first_reply_ms,
    sum(units_30) / nullIf(sum(units), 0) AS within_30s,
    sum(units_180) / nullIf(sum(units), 0) AS within_180s,
    sum(units_300) / nullIf(sum(units), 0) AS within_300s,
    uniqExactIf(customer, ordered) / nullIf(received, 0) AS order_rate,
    uniqExactIf(customer, is_fresh) AS pre_order,
    uniqExactIf(customer, is_bought) / nullIf(pre_order, 0) AS conversion,
    sum(f.sales) AS sales,
    sum(net) AS net_sales,
    toFloat64(sales) / nullIf(uniqExactIf(customer, orders > 0), 0) AS basket,
    sum(pieces) / nullIf(uniqExactIf(customer, isNotNull(pieces)), 0) AS items_per_customer,
    sum(replies) / nullIf(sum(questions), 0) AS answer_ratio,
    countIf(satisfied) / nullIf(countIf(rated), 0) AS csat,
    countIf(invited) / nullIf(countIf(sessions), 0) AS invite_rate,
    avgOrNull(f.score) AS score,
    countIf(severe) / nullIf(countIf(quality), 0) AS hit_rate,
    sum(appealed) / nullIf(sum(hits), 0) AS appeal_rate,
    sum(won) / nullIf(sum(decided), 0) AS appeal_won_rate,
    (day + (SELECT any(lag_days) FROM kpi_profile_rows FINAL WHERE profile = {profile:String}) < {as_of:Date})::Bool AS is_final,
    toFloat64(sum(priced)) / nullIf(sum(priced_pieces), 0) AS item_price
FROM kpi_cells(profile = {profile:String}, from = {from:Date}, to = {to:Date}) AS f
GROUP BY agent_id, team, shop, day;

CREATE OR REPLACE VIEW team_kpi AS
SELECT team, day,
    uniqExactIf(customer, f.rounds > 0) AS received,
    sum(f.rounds) AS rounds,
    sum(mean_ms) / nullIf(sum(answered), 0) AS avg_reply_ms,
    sum(first_ms) / nullIf(sum(firsts), 0) AS first_reply_ms,
    sum(units_30) / nullIf(sum(units), 0) AS within_30s,
    sum(units_180) / nullIf(sum(units), 0) AS within_180s,
    sum(units_300) / nullIf(sum(units), 0) AS within_300s,
    uniqExactIf(customer, ordered) / nullIf(received, 0) AS order_rate,
    uniqExactIf(customer, is_fresh) AS pre_order,
    uniqExactIf(customer, is_bought) / nullIf(pre_order, 0) AS conversion,
    sum(f.sales) AS sales,
    sum(net) AS net_sales,
    toFloat64(sales) / nullIf(uniqExactIf(customer, orders > 0), 0) AS basket,
    sum(pieces) / nullIf(uniqExactIf(customer, isNotNull(pieces)), 0) AS items_per_customer,
    sum(replies) / nullIf(sum(questions), 0) AS answer_ratio,
    countIf(satisfied) / nullIf(countIf(rated), 0) AS csat,
    countIf(invited) / nullIf(countIf(sessions), 0) AS invite_rate,
    avgOrNullIf(f.score, last) AS score,
    uniqExactIf(session_id, severe) / nullIf(uniqExactIf(session_id, quality), 0) AS hit_rate,
    sum(appealed) / nullIf(sum(hits), 0) AS appeal_rate,
    sum(won) / nullIf(sum(decided), 0) AS appeal_won_rate,
    (day + (SELECT any(lag_days) FROM kpi_profile_rows FINAL WHERE profile = {profile:String}) < {as_of:Date})::Bool AS is_final,
    toFloat64(sum(priced)) / nullIf(sum(priced_pieces), 0) AS item_price
FROM kpi_cells(profile = {profile:String}, from = {from:Date}, to = {to:Date}) AS f
GROUP BY team, day;

CREATE OR REPLACE VIEW shop_kpi AS
SELECT shop, day,
    uniqExactIf(customer, f.rounds > 0) AS received,
    sum(f.rounds) AS rounds,
    sum(mean_ms) / nullIf(sum(answered), 0) AS avg_reply_ms,
    sum(first_ms) / nullIf(sum(firsts), 0) AS first_reply_ms,
    sum(units_30) / nullIf(sum(units), 0) AS within_30s,
    sum(units_180) / nullIf(sum(units), 0) AS within_180s,
    sum(units_300) / nullIf(sum(units), 0) AS within_300s,
    uniqExactIf(customer, ordered) / nullIf(received, 0) AS order_rate,
    uniqExactIf(customer, is_fresh) AS pre_order,
    uniqExactIf(customer, is_bought) / nullIf(pre_order, 0) AS conversion,
    sum(f.sales) AS sales,
    sum(net) AS net_sales,
    toFloat64(sales) / nullIf(uniqExactIf(customer, orders > 0), 0) AS basket,
    sum(pieces) / nullIf(uniqExactIf(customer, isNotNull(pieces)), 0) AS items_per_customer,
    sum(replies) / nullIf(sum(questions), 0) AS answer_ratio,
    countIf(satisfied) / nullIf(countIf(rated), 0) AS csat,
    countIf(invited) / nullIf(countIf(sessions), 0) AS invite_rate,
    avgOrNullIf(f.score, last) AS score,
    uniqExactIf(session_id, severe) / nullIf(uniqExactIf(session_id, quality), 0) AS hit_rate,
    sum(appealed) / nullIf(sum(hits), 0) AS appeal_rate,
    sum(won) / nullIf(sum(decided), 0) AS appeal_won_rate,
    (day + (SELECT any(lag_days) FROM kpi_profile_rows FINAL WHERE profile = {profile:String}) < {as_of:Date})::Bool AS is_final,
    toFloat64(sum(priced)) / nullIf(sum(priced_pieces), 0) AS item_price
FROM kpi_cells(profile = {profile:String}, from = {from:Date}, to = {to:Date}) AS f
GROUP BY shop, day;

CREATE OR REPLACE VIEW channel_kpi AS
SELECT channel, source, day,
    uniqExactIf(customer, f.rounds > 0) AS received,
    sum(f.rounds) AS rounds,
    sum(mean_ms) / nullIf(sum(answered), 0) AS avg_reply_ms,
    sum(first_ms) / nullIf(sum(firsts), 0) AS first_reply_ms,
    sum(units_30) / nullIf(sum(units), 0) AS within_30s,
    sum(units_180) / nullIf(sum(units), 0) AS within_180s,
    sum(units_300) / nullIf(sum(units), 0) AS within_300s,
    uniqExactIf(customer, ordered) / nullIf(received, 0) AS order_rate,
    uniqExactIf(customer, is_fresh) AS pre_order,
    uniqExactIf(customer, is_bought) / nullIf(pre_order, 0) AS conversion,
    sum(f.sales) AS sales,
    sum(net) AS net_sales,
    toFloat64(sales) / nullIf(uniqExactIf(customer, orders > 0), 0) AS basket,
    sum(pieces) / nullIf(uniqExactIf(customer, isNotNull(pieces)), 0) AS items_per_customer,
    sum(replies) / nullIf(sum(questions), 0) AS answer_ratio,
    countIf(satisfied) / nullIf(countIf(rated), 0) AS csat,
    countIf(invited) / nullIf(countIf(sessions), 0) AS invite_rate,
    avgOrNullIf(f.score, last) AS score,
    uniqExactIf(session_id, severe) / nullIf(uniqExactIf(session_id, quality), 0) AS hit_rate,
    sum(appealed) / nullIf(sum(hits), 0) AS appeal_rate,
    sum(won) / nullIf(sum(decided), 0) AS appeal_won_rate,
    (day + (SELECT any(lag_days) FROM kpi_profile_rows FINAL WHERE profile = {profile:String}) < {as_of:Date})::Bool AS is_final,
    toFloat64(sum(priced)) / nullIf(sum(priced_pieces), 0) AS item_price
FROM kpi_cells(profile = {profile:String}, from = {from:Date}, to = {to:Date}) AS f
GROUP BY channel, source, day;

-- The view of the figures of one platform has become kpi_cells.
DROP VIEW IF EXISTS kpi_facts;
