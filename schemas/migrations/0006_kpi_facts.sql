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
            if(empty(item_qty), NULL, arraySum(item_qty)) AS pieces, concat('c', customer_id) AS payer
        FROM order_rows FINAL
        WHERE isNotNull(paid_at) AND status != 'created' AND paid_at >= since AND paid_at < until
    )
SELECT f.* EXCEPT (own_team, team_at, day), assumeNotNull(f.day) AS day, if(f.own_team != '', f.own_team, g.team) AS team
FROM (
    -- Rounds lie on the day on which the customer asked.
    SELECT 'round' AS kind, agent AS agent_id, own_team, team_at, shop, channel, source, round_day AS day, session_id, customer, reply_ms,
        isNotNull(reply_ms) OR isNull(reply_seq) AND isNotNull(asked_at) AS timed, first,
        arrayExists(c -> toDate(c, '{{timezone}}') = round_day, created) AS ordered, fresh, bought, 0 AS reply, 0 AS question,
        toDecimal128(0, 4) AS sales, toDecimal128(0, 4) AS net, NULL AS pieces, false AS rated, false AS satisfied, false AS invited, false AS last,
        NULL AS score, false AS severe, false AS appealed, false AS decided, false AS won
    FROM (
        SELECT session_id, own_team, team_at, shop, channel, source, customer, created, fresh, bought, agent, asked_at, reply_seq, reply_ms, first,
            ifNull(toDate(asked_at, '{{timezone}}'), toDate(started_at, '{{timezone}}')) AS round_day
        FROM (
            SELECT session_id, own_team, team_at, shop, channel, source, started_at, customer, arrayMap(m -> m.1, o.made) AS created, round_agent, round_asked_at, round_reply, round_reply_ms, round_first,
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
        channel, source, turn_day AS day, session_id, '' AS customer, NULL AS reply_ms, false AS timed, false AS first, false AS ordered, false AS fresh,
        false AS bought, role = 'agent' AND valid AS reply, role = 'customer' AS question, toDecimal128(0, 4) AS sales, toDecimal128(0, 4) AS net,
        NULL AS pieces, false AS rated, false AS satisfied, false AS invited, false AS last, NULL AS score, false AS severe, false AS appealed, false AS decided,
        false AS won
    FROM (
        SELECT session_id, own_team, team_at, shop, channel, source, agent, round_agent, role, speaker, valid, round, toDate(ifNull(at, started_at), '{{timezone}}') AS turn_day
        FROM (
            SELECT session_id, own_team, team_at, shop, channel, source, started_at, agent_id AS agent, round_agent, turn_role, turn_agent, said_at, turn_valid,
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
    SELECT 'session' AS kind, last_agent AS agent_id, own_team, team_at, shop, channel, source, start_day AS day, session_id, '' AS customer, NULL AS reply_ms,
        false AS timed, false AS first, false AS ordered, false AS fresh, false AS bought, 0 AS reply, 0 AS question, toDecimal128(0, 4) AS sales,
        toDecimal128(0, 4) AS net, NULL AS pieces, isNotNull(satisfaction) AS rated, ifNull(satisfaction >= 0.8, false) AS satisfied,
        lower(attributes['invited']) IN ('true', '1', 'yes') AS invited, false AS last, NULL AS score, false AS severe, false AS appealed, false AS decided,
        false AS won
    FROM facts AS a
    LEFT JOIN (SELECT session_id, toNullable(score / max) AS satisfaction FROM rating_rows FINAL) AS r ON r.session_id = a.session_id
    WHERE last_agent != '' AND start_day BETWEEN {from:Date} AND {to:Date}
    UNION ALL
    -- Scores and hits of closed sessions, for each agent who took part.
    SELECT 'quality' AS kind, agent AS agent_id, own_team, team_at, shop, channel, source, start_day AS day, session_id, '' AS customer, NULL AS reply_ms,
        false AS timed, false AS first, false AS ordered, false AS fresh, false AS bought, 0 AS reply, 0 AS question, toDecimal128(0, 4) AS sales,
        toDecimal128(0, 4) AS net, NULL AS pieces, false AS rated, false AS satisfied, false AS invited, agent = last_agent AS last, session_score AS score,
        arrayExists((s, h) -> s IN ('major', 'critical') AND h = agent, hit_severity, hit_agent) AS severe, false AS appealed, false AS decided, false AS won
    FROM (SELECT *, score AS session_score FROM facts)
    ARRAY JOIN arrayDistinct(arrayConcat(agent_ids, [last_agent])) AS agent
    WHERE closed AND agent != '' AND start_day BETWEEN {from:Date} AND {to:Date}
    UNION ALL
    -- Hits with what became of them.
    SELECT 'hit' AS kind, agent AS agent_id, own_team, team_at, shop, channel, source, start_day AS day, session_id, '' AS customer, NULL AS reply_ms,
        false AS timed, false AS first, false AS ordered, false AS fresh, false AS bought, 0 AS reply, 0 AS question, toDecimal128(0, 4) AS sales,
        toDecimal128(0, 4) AS net, NULL AS pieces, false AS rated, false AS satisfied, false AS invited, false AS last, NULL AS score,
        false AS severe, d.appeals > 0 AS appealed, appealed AND d.decisions > 0 AS decided,
        decided AND d.final = 'overturn' AS won
    FROM (
        SELECT session_id, own_team, team_at, shop, channel, source, start_day, agent, hit
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
        s.source AS source, o.paid_day AS day, s.session_id AS session_id, o.payer AS customer, NULL AS reply_ms, false AS timed, false AS first,
        false AS ordered, false AS fresh, false AS bought, 0 AS reply, 0 AS question, o.sales AS sales, o.net AS net, o.pieces AS pieces, false AS rated,
        false AS satisfied, false AS invited, false AS last, NULL AS score, false AS severe, false AS appealed, false AS decided, false AS won
    FROM (SELECT * FROM paid WHERE agent_id != '') AS o
    ASOF LEFT JOIN (
        SELECT agent, assumeNotNull(started_at) AS started_key, toNullable(started_key) AS started, session_id, own_team, channel, source
        FROM facts
        ARRAY JOIN agent_ids AS agent
        WHERE isNotNull(started_at) AND agent IN (SELECT agent_id FROM paid)
    ) AS s ON s.agent = o.agent_id AND o.created >= s.started_key
    UNION ALL
    -- Other paid orders: the last agent with a valid reply to that customer and shop in the 24 hours before.
    SELECT 'order' AS kind, s.agent AS agent_id, s.own_team AS own_team, s.team_at AS team_at, o.shop AS shop, s.channel AS channel, s.source AS source,
        o.paid_day AS day, s.session_id AS session_id, o.payer AS customer, NULL AS reply_ms, false AS timed, false AS first, false AS ordered, false AS fresh,
        false AS bought, 0 AS reply, 0 AS question, o.sales AS sales, o.net AS net, o.pieces AS pieces, false AS rated, false AS satisfied, false AS invited,
        false AS last, NULL AS score, false AS severe, false AS appealed, false AS decided, false AS won
    FROM (SELECT * FROM paid WHERE agent_id = '' AND customer_id != '') AS o
    ASOF INNER JOIN (
        SELECT customer_id, shop, if(speaker = '', agent_id, speaker) AS agent, assumeNotNull(at) AS replied, session_id, own_team, team_at, channel, source
        FROM facts
        ARRAY JOIN turn_agent AS speaker, said_at AS at, turn_valid AS valid
        WHERE customer_id IN (SELECT customer_id FROM paid WHERE agent_id = '' AND customer_id != '') AND valid AND isNotNull(at) AND agent != ''
    ) AS s ON s.customer_id = o.customer_id AND s.shop = o.shop AND o.created >= s.replied
    WHERE s.replied >= o.created - INTERVAL 24 HOUR
) AS f
ASOF LEFT JOIN (SELECT agent_id, valid_from, team FROM agents FINAL) AS g ON g.agent_id = f.agent_id AND f.team_at >= g.valid_from;
