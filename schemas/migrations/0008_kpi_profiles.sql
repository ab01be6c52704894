-- Figures of agents, teams, shops and channels: one list of formulas for all of them, the sessions behind each figure.

-- What the figures are made of, one row for each fact that counts for an agent.
CREATE OR REPLACE VIEW kpi_facts AS
WITH
    toDateTime64(toString({from:Date}), 3, '{{timezone}}') AS since,
    toDateTime64(toString({to:Date} + 1), 3, '{{timezone}}') AS until,
    facts AS (
        SELECT *, team AS own_team, ifNull(started_at, toDateTime64('2299-01-01', 3, 'UTC')) AS team_at, toDate(started_at, '{{timezone}}') AS start_day,
            if(customer_id != '', concat('c', customer_id), concat('s', session_id)) AS customer,
            arrayLastIndex(r -> r = 'agent', turn_role) AS last_turn,
            -- A turn of a recording has its time by its place in it.
            arrayMap((a, s, e) -> ifNull(a, started_at + toIntervalMillisecond(ifNull(s, e))), turn_at, turn_start_ms, turn_end_ms) AS said_at,
            if(last_turn > 0 AND turn_agent[last_turn] != '', turn_agent[last_turn], agent_id) AS last_agent
        FROM active_analyses
    ),
    paid AS (
        SELECT order_id, shop, customer_id, agent_id, ifNull(created_at, assumeNotNull(paid_at)) AS created, toDate(assumeNotNull(paid_at), '{{timezone}}') AS paid_day,
            toDecimal128(ifNull(amount, 0), 4) AS sales, toDecimal128(sales - ifNull(refund_amount, 0), 4) AS net,
            if(empty(item_qty), NULL, arraySum(item_qty)) AS pieces, concat('c', customer_id) AS payer,
            arraySum((p, q) -> toDecimal128(ifNull(p, 0), 4) * q, item_price, item_qty) AS priced, arraySum((p, q) -> if(isNull(p), 0, q), item_price, item_qty) AS priced_pieces
        FROM order_rows FINAL
        WHERE isNotNull(paid_at) AND status != 'created' AND paid_at >= since AND paid_at < until
    )
SELECT f.* EXCEPT (own_team, team_at, day), assumeNotNull(f.day) AS day, if(f.own_team != '', f.own_team, g.team) AS team
FROM (
    -- Rounds lie on the day on which the customer asked.
    SELECT 'round' AS kind, agent AS agent_id, own_team, team_at, shop, channel, source, business, round_day AS day, session_id, customer, reply_ms,
        isNotNull(reply_ms) OR isNull(reply_seq) AND isNotNull(asked_at) AS timed, first,
        arrayExists(c -> toDate(c, '{{timezone}}') = round_day, created) AS ordered, fresh, bought, 0 AS reply, 0 AS question,
        toDecimal128(0, 4) AS sales, toDecimal128(0, 4) AS net, NULL AS pieces, '' AS order_id, toDecimal128(0, 4) AS priced, 0 AS priced_pieces, false AS rated, false AS satisfied, false AS invited, false AS last,
        NULL AS score, false AS severe, false AS appealed, false AS decided, false AS won, '' AS hit_id
    FROM (
        SELECT session_id, own_team, team_at, shop, channel, source, business, customer, created, fresh, bought, agent, asked_at, reply_seq, reply_ms, first,
            ifNull(toDate(asked_at, '{{timezone}}'), toDate(started_at, '{{timezone}}')) AS round_day
        FROM (
            SELECT session_id, own_team, team_at, shop, channel, source, business, started_at, customer, arrayMap(m -> m.1, o.made) AS created, round_agent, round_asked_at, round_reply, round_reply_ms, round_first,
                a.customer_id != '' AND isNotNull(started_at) AND NOT arrayExists(c -> c >= started_at - INTERVAL 15 DAY AND c < started_at, created) AS fresh,
                fresh AND arrayExists(m -> m.1 >= started_at AND m.1 <= started_at + INTERVAL 24 HOUR AND m.2 <= started_at + INTERVAL 96 HOUR, o.made) AS bought
            FROM facts AS a
            LEFT JOIN (
                SELECT customer_id, shop AS order_shop, groupArray((assumeNotNull(created_at), ifNull(if(status = 'created', NULL, paid_at), toDateTime64('2299-01-01', 3, 'UTC')))) AS made
                FROM order_rows FINAL
                WHERE customer_id != '' AND isNotNull(created_at)
                GROUP BY customer_id, order_shop
            ) AS o ON o.customer_id = a.customer_id AND o.order_shop = a.shop
            WHERE arrayExists(x -> ifNull(x >= since AND x < until, ifNull(started_at >= since AND started_at < until, false)), round_asked_at)
        )
        ARRAY JOIN round_agent AS agent, round_asked_at AS asked_at, round_reply AS reply_seq, round_reply_ms AS reply_ms, round_first AS first
    )
    WHERE agent != '' AND round_day BETWEEN {from:Date} AND {to:Date}
    UNION ALL
    -- Valid replies and the customer turns of an agent's rounds, each on its own day.
    SELECT 'turn' AS kind, if(role = 'customer', if(round > 0, round_agent[round], ''), if(speaker = '', agent, speaker)) AS agent_id, own_team, team_at, shop,
        channel, source, business, turn_day AS day, session_id, '' AS customer, NULL AS reply_ms, false AS timed, false AS first, false AS ordered, false AS fresh,
        false AS bought, role = 'agent' AND valid AS reply, role = 'customer' AS question, toDecimal128(0, 4) AS sales, toDecimal128(0, 4) AS net,
        NULL AS pieces, '' AS order_id, toDecimal128(0, 4) AS priced, 0 AS priced_pieces, false AS rated, false AS satisfied, false AS invited, false AS last, NULL AS score, false AS severe, false AS appealed, false AS decided,
        false AS won, '' AS hit_id
    FROM (
        SELECT session_id, own_team, team_at, shop, channel, source, business, agent, round_agent, role, speaker, valid, round, toDate(ifNull(at, started_at), '{{timezone}}') AS turn_day
        FROM (
            SELECT session_id, own_team, team_at, shop, channel, source, business, started_at, agent_id AS agent, round_agent, turn_role, turn_agent, said_at, turn_valid,
                arrayCumSum(arrayMap(s -> has(round_turn, s), turn_seq)) AS turn_round
            FROM facts
            WHERE arrayExists(x -> ifNull(x >= since AND x < until, ifNull(started_at >= since AND started_at < until, false)), said_at)
        )
        ARRAY JOIN turn_role AS role, turn_agent AS speaker, said_at AS at, turn_valid AS valid, turn_round AS round
        WHERE role = 'customer' OR role = 'agent' AND valid
    )
    WHERE turn_day BETWEEN {from:Date} AND {to:Date} AND agent_id != ''
    UNION ALL
    -- Ratings and invitations belong to the last agent, on the day the session started.
    SELECT 'session' AS kind, last_agent AS agent_id, own_team, team_at, shop, channel, source, business, start_day AS day, session_id, '' AS customer, NULL AS reply_ms,
        false AS timed, false AS first, false AS ordered, false AS fresh, false AS bought, 0 AS reply, 0 AS question, toDecimal128(0, 4) AS sales,
        toDecimal128(0, 4) AS net, NULL AS pieces, '' AS order_id, toDecimal128(0, 4) AS priced, 0 AS priced_pieces, isNotNull(satisfaction) AS rated, ifNull(satisfaction >= 0.8, false) AS satisfied,
        lower(attributes['invited']) IN ('true', '1', 'yes') AS invited, false AS last, NULL AS score, false AS severe, false AS appealed, false AS decided,
        false AS won, '' AS hit_id
    FROM facts AS a
    LEFT JOIN (SELECT session_id, toNullable(score / max) AS satisfaction FROM rating_rows FINAL) AS r ON r.session_id = a.session_id
    WHERE last_agent != '' AND start_day BETWEEN {from:Date} AND {to:Date}
    UNION ALL
    -- Scores and hits of closed sessions, for each agent who took part.
    SELECT 'quality' AS kind, agent AS agent_id, own_team, team_at, shop, channel, source, business, start_day AS day, session_id, '' AS customer, NULL AS reply_ms,
        false AS timed, false AS first, false AS ordered, false AS fresh, false AS bought, 0 AS reply, 0 AS question, toDecimal128(0, 4) AS sales,
        toDecimal128(0, 4) AS net, NULL AS pieces, '' AS order_id, toDecimal128(0, 4) AS priced, 0 AS priced_pieces, false AS rated, false AS satisfied, false AS invited, agent = last_agent AS last, session_score AS score,
        arrayExists((s, h) -> s IN ('major', 'critical') AND h = agent, hit_severity, hit_agent) AS severe, false AS appealed, false AS decided, false AS won, '' AS hit_id
    FROM (SELECT *, score AS session_score FROM facts)
    ARRAY JOIN arrayDistinct(arrayConcat(agent_ids, [last_agent])) AS agent
    WHERE closed AND agent != '' AND start_day BETWEEN {from:Date} AND {to:Date}
    UNION ALL
    -- Hits with what became of them.
    SELECT 'hit' AS kind, agent AS agent_id, own_team, team_at, shop, channel, source, business, start_day AS day, session_id, '' AS customer, NULL AS reply_ms,
        false AS timed, false AS first, false AS ordered, false AS fresh, false AS bought, 0 AS reply, 0 AS question, toDecimal128(0, 4) AS sales,
        toDecimal128(0, 4) AS net, NULL AS pieces, '' AS order_id, toDecimal128(0, 4) AS priced, 0 AS priced_pieces, false AS rated, false AS satisfied, false AS invited, false AS last, NULL AS score,
        false AS severe, d.appeals > 0 AS appealed, appealed AND d.decisions > 0 AS decided,
        decided AND d.final = 'overturn' AS won, hit AS hit_id
    FROM (
        SELECT session_id, own_team, team_at, shop, channel, source, business, start_day, agent, hit
        FROM facts
        ARRAY JOIN hit_agent AS agent, hit_id AS hit
        WHERE closed AND agent != '' AND start_day BETWEEN {from:Date} AND {to:Date}
    ) AS a
    LEFT JOIN (
        SELECT session_id, hit_id, countIf(action = 'appeal') AS appeals, countIf(action IN ('uphold', 'overturn')) AS decisions,
            argMaxIf(action, event_id, action IN ('uphold', 'overturn')) AS final
        FROM review_events FINAL
        WHERE hit_id != ''
        GROUP BY session_id, hit_id
    ) AS d ON d.session_id = a.session_id AND d.hit_id = a.hit
    UNION ALL
    -- Paid orders that name their agent: team and channel are those of that agent's latest session before.
    SELECT 'order' AS kind, o.agent_id AS agent_id, s.own_team AS own_team, ifNull(s.started, o.created) AS team_at, o.shop AS shop, s.channel AS channel,
        s.source AS source, s.business AS business, o.paid_day AS day, s.session_id AS session_id, o.payer AS customer, NULL AS reply_ms, false AS timed, false AS first,
        false AS ordered, false AS fresh, false AS bought, 0 AS reply, 0 AS question, o.sales AS sales, o.net AS net, o.pieces AS pieces, o.order_id AS order_id, o.priced AS priced, o.priced_pieces AS priced_pieces, false AS rated,
        false AS satisfied, false AS invited, false AS last, NULL AS score, false AS severe, false AS appealed, false AS decided, false AS won, '' AS hit_id
    FROM (SELECT * FROM paid WHERE agent_id != '') AS o
    ASOF LEFT JOIN (
        SELECT agent, assumeNotNull(started_at) AS started_key, toNullable(started_key) AS started, session_id, own_team, channel, source, business
        FROM facts
        ARRAY JOIN agent_ids AS agent
        WHERE isNotNull(started_at) AND agent IN (SELECT agent_id FROM paid)
    ) AS s ON s.agent = o.agent_id AND o.created >= s.started_key
    UNION ALL
    -- Other paid orders: the last agent with a valid reply to that customer and shop in the 24 hours before.
    SELECT 'order' AS kind, s.agent AS agent_id, s.own_team AS own_team, s.team_at AS team_at, o.shop AS shop, s.channel AS channel, s.source AS source, s.business AS business,
        o.paid_day AS day, s.session_id AS session_id, o.payer AS customer, NULL AS reply_ms, false AS timed, false AS first, false AS ordered, false AS fresh,
        false AS bought, 0 AS reply, 0 AS question, o.sales AS sales, o.net AS net, o.pieces AS pieces, o.order_id AS order_id, o.priced AS priced, o.priced_pieces AS priced_pieces, false AS rated, false AS satisfied, false AS invited,
        false AS last, NULL AS score, false AS severe, false AS appealed, false AS decided, false AS won, '' AS hit_id
    FROM (SELECT * FROM paid WHERE agent_id = '' AND customer_id != '') AS o
    ASOF INNER JOIN (
        SELECT customer_id, shop, if(speaker = '', agent_id, speaker) AS agent, assumeNotNull(at) AS replied, session_id, own_team, team_at, channel, source, business
        FROM facts
        ARRAY JOIN turn_agent AS speaker, said_at AS at, turn_valid AS valid
        WHERE customer_id IN (SELECT customer_id FROM paid WHERE agent_id = '' AND customer_id != '') AND valid AND isNotNull(at) AND agent != ''
    ) AS s ON s.customer_id = o.customer_id AND s.shop = o.shop AND o.created >= s.replied
    WHERE s.replied >= o.created - INTERVAL 24 HOUR
) AS f
ASOF LEFT JOIN (SELECT agent_id, valid_from, team FROM agents FINAL) AS g ON g.agent_id = f.agent_id AND f.team_at >= g.valid_from;

-- Rows of figures: by = agent, team, shop or channel; pool = 1 gives one row for the whole period, else one a day. An empty
-- list lets everything through.
CREATE OR REPLACE VIEW kpi_rows AS
SELECT
    if({by:String} = 'agent', f.agent_id, '') AS agent_id,
    if({by:String} IN ('agent', 'team'), f.team, '') AS team,
    if({by:String} IN ('agent', 'shop'), f.shop, '') AS shop,
    if({by:String} = 'channel', f.channel, '') AS channel,
    if({by:String} = 'channel', f.source, '') AS source,
    if({pool:UInt8} = 1, {from:Date}, f.day) AS day,
    uniqExactIf(customer, kind = 'round') AS received,
    countIf(kind = 'round') AS rounds,
    avgOrNullIf(reply_ms, kind = 'round') AS avg_reply_ms,
    avgOrNullIf(reply_ms, kind = 'round' AND first) AS first_reply_ms,
    countIf(kind = 'round' AND reply_ms <= 30000) / nullIf(countIf(kind = 'round' AND timed), 0) AS within_30s,
    countIf(kind = 'round' AND reply_ms <= 180000) / nullIf(countIf(kind = 'round' AND timed), 0) AS within_180s,
    countIf(kind = 'round' AND reply_ms <= 300000) / nullIf(countIf(kind = 'round' AND timed), 0) AS within_300s,
    uniqExactIf(customer, kind = 'round' AND ordered) / nullIf(received, 0) AS order_rate,
    uniqExactIf(customer, kind = 'round' AND fresh) AS pre_order,
    uniqExactIf(customer, kind = 'round' AND bought) / nullIf(pre_order, 0) AS conversion,
    sumIf(f.sales, kind = 'order') AS sales,
    sumIf(net, kind = 'order') AS net_sales,
    toFloat64(sales) / nullIf(uniqExactIf(customer, kind = 'order'), 0) AS basket,
    sumIf(pieces, kind = 'order') / nullIf(uniqExactIf(customer, kind = 'order' AND isNotNull(pieces)), 0) AS items_per_customer,
    countIf(kind = 'turn' AND reply) / nullIf(countIf(kind = 'turn' AND question), 0) AS answer_ratio,
    countIf(satisfied) / nullIf(countIf(rated), 0) AS csat,
    countIf(invited) / nullIf(countIf(kind = 'session'), 0) AS invite_rate,
    avgOrNullIf(f.score, kind = 'quality' AND ({by:String} = 'agent' OR last)) AS score,
    uniqExactIf(session_id, kind = 'quality' AND severe) / nullIf(uniqExactIf(session_id, kind = 'quality'), 0) AS hit_rate,
    countIf(appealed) / nullIf(countIf(kind = 'hit'), 0) AS appeal_rate,
    countIf(won) / nullIf(countIf(decided), 0) AS appeal_won_rate,
    (if({pool:UInt8} = 1, {to:Date}, day) + 4 < {as_of:Date})::Bool AS is_final,
    toFloat64(sumIf(priced, kind = 'order')) / nullIf(sumIf(priced_pieces, kind = 'order'), 0) AS item_price
FROM kpi_facts(from = {from:Date}, to = {to:Date}) AS f
WHERE throwIf({profile:String} != 'generic', 'unknown KPI profile: only generic is known') = 0
    AND throwIf({by:String} NOT IN ('agent', 'team', 'shop', 'channel'), 'by is agent, team, shop or channel') = 0
    AND (empty({agents:Array(String)}) OR has({agents:Array(String)}, f.agent_id))
    AND (empty({teams:Array(String)}) OR has({teams:Array(String)}, f.team))
    AND (empty({shops:Array(String)}) OR has({shops:Array(String)}, f.shop))
    AND (empty({channels:Array(String)}) OR has({channels:Array(String)}, f.channel))
    AND (empty({businesses:Array(String)}) OR has({businesses:Array(String)}, f.business))
GROUP BY agent_id, team, shop, channel, source, day;

-- What a figure is made of, session by session: bottom counts in its denominator (or in the mean), top in its numerator.
CREATE OR REPLACE VIEW kpi_sessions AS
SELECT session_id, object, f.day AS day, f.agent_id AS agent_id, f.team AS team, f.shop AS shop, any(if(startsWith(customer, 'c'), substring(customer, 2), '')) AS customer_id,
    count() AS bottom, countIf(counted) AS top, sum(amount) AS value
FROM (
    SELECT *,
        multiIf(kind = 'hit', hit_id, kind = 'order', order_id, '') AS object,
        {figure:String} AS wanted,
        multiIf(
            wanted IN ('received', 'rounds'), kind = 'round',
            wanted = 'avg_reply_ms', kind = 'round' AND isNotNull(reply_ms),
            wanted = 'first_reply_ms', kind = 'round' AND first AND isNotNull(reply_ms),
            wanted IN ('within_30s', 'within_180s', 'within_300s'), kind = 'round' AND timed,
            wanted = 'order_rate', kind = 'round',
            wanted IN ('pre_order', 'conversion'), kind = 'round' AND fresh,
            wanted IN ('sales', 'net_sales', 'basket'), kind = 'order',
            wanted = 'items_per_customer', kind = 'order' AND isNotNull(pieces),
            wanted = 'item_price', kind = 'order' AND priced_pieces != 0,
            wanted = 'answer_ratio', kind = 'turn',
            wanted = 'csat', rated,
            wanted = 'invite_rate', kind = 'session',
            wanted = 'score', kind = 'quality' AND isNotNull(score) AND ({by:String} = 'agent' OR last),
            wanted = 'hit_rate', kind = 'quality',
            wanted = 'appeal_rate', kind = 'hit',
            wanted = 'appeal_won_rate', decided,
            false) AS base,
        multiIf(
            wanted = 'within_30s', ifNull(reply_ms <= 30000, false),
            wanted = 'within_180s', ifNull(reply_ms <= 180000, false),
            wanted = 'within_300s', ifNull(reply_ms <= 300000, false),
            wanted = 'order_rate', ordered,
            wanted = 'conversion', bought,
            wanted = 'answer_ratio', reply = 1,
            wanted = 'csat', satisfied,
            wanted = 'invite_rate', invited,
            wanted = 'hit_rate', severe,
            wanted = 'appeal_rate', appealed,
            wanted = 'appeal_won_rate', won,
            true) AS counted,
        multiIf(
            wanted IN ('avg_reply_ms', 'first_reply_ms', 'within_30s', 'within_180s', 'within_300s'), toFloat64(reply_ms),
            wanted IN ('sales', 'basket'), toNullable(toFloat64(sales)),
            wanted = 'net_sales', toNullable(toFloat64(net)),
            wanted = 'items_per_customer', toFloat64(pieces),
            wanted = 'item_price', toNullable(toFloat64(priced)),
            wanted = 'score', score,
            NULL) AS amount
    FROM kpi_facts(from = {from:Date}, to = {to:Date})
) AS f
WHERE base
    AND throwIf({profile:String} != 'generic', 'unknown KPI profile: only generic is known') = 0
    AND (empty({agents:Array(String)}) OR has({agents:Array(String)}, f.agent_id))
    AND (empty({teams:Array(String)}) OR has({teams:Array(String)}, f.team))
    AND (empty({shops:Array(String)}) OR has({shops:Array(String)}, f.shop))
    AND (empty({channels:Array(String)}) OR has({channels:Array(String)}, f.channel))
    AND (empty({businesses:Array(String)}) OR has({businesses:Array(String)}, f.business))
GROUP BY session_id, object, day, agent_id, team, shop;

CREATE OR REPLACE VIEW agent_kpi AS
SELECT agent_id, team, shop, day, received, rounds, avg_reply_ms, first_reply_ms, within_30s, within_180s, within_300s, order_rate, pre_order, conversion, sales, net_sales,
    basket, items_per_customer, answer_ratio, csat, invite_rate, score, hit_rate, appeal_rate, appeal_won_rate, is_final, item_price
FROM kpi_rows(profile = {profile:String}, from = {from:Date}, to = {to:Date}, as_of = {as_of:Date}, by = 'agent', pool = 0,
    agents = [], teams = [], shops = [], channels = [], businesses = []);

CREATE OR REPLACE VIEW team_kpi AS
SELECT team, day, received, rounds, avg_reply_ms, first_reply_ms, within_30s, within_180s, within_300s, order_rate, pre_order, conversion, sales, net_sales,
    basket, items_per_customer, answer_ratio, csat, invite_rate, score, hit_rate, appeal_rate, appeal_won_rate, is_final, item_price
FROM kpi_rows(profile = {profile:String}, from = {from:Date}, to = {to:Date}, as_of = {as_of:Date}, by = 'team', pool = 0,
    agents = [], teams = [], shops = [], channels = [], businesses = []);

CREATE OR REPLACE VIEW shop_kpi AS
SELECT shop, day, received, rounds, avg_reply_ms, first_reply_ms, within_30s, within_180s, within_300s, order_rate, pre_order, conversion, sales, net_sales,
    basket, items_per_customer, answer_ratio, csat, invite_rate, score, hit_rate, appeal_rate, appeal_won_rate, is_final, item_price
FROM kpi_rows(profile = {profile:String}, from = {from:Date}, to = {to:Date}, as_of = {as_of:Date}, by = 'shop', pool = 0,
    agents = [], teams = [], shops = [], channels = [], businesses = []);

CREATE OR REPLACE VIEW channel_kpi AS
SELECT channel, source, day, received, rounds, avg_reply_ms, first_reply_ms, within_30s, within_180s, within_300s, order_rate, pre_order, conversion, sales, net_sales,
    basket, items_per_customer, answer_ratio, csat, invite_rate, score, hit_rate, appeal_rate, appeal_won_rate, is_final, item_price
FROM kpi_rows(profile = {profile:String}, from = {from:Date}, to = {to:Date}, as_of = {as_of:Date}, by = 'channel', pool = 0,
    agents = [], teams = [], shops = [], channels = [], businesses = []);
