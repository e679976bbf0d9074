-- Which host probes with which keepalive settings, and on how many connections
WITH probers AS (
    SELECT
        flows.client_address AS prober_address,
        flows.tcp_keepalive_time_value_client AS idle_s,
        flows.tcp_keepalive_intvl_value_client AS interval_s,
        flows.tcp_keepalive_probes_value_client AS probe_count
    FROM flows
    WHERE flows.probes_client > 0
    UNION ALL
    SELECT
        flows.server_address,
        flows.tcp_keepalive_time_value_server,
        flows.tcp_keepalive_intvl_value_server,
        flows.tcp_keepalive_probes_value_server
    FROM flows
    WHERE flows.probes_server > 0
)
-- An idle time shows after two probes, an interval when a probe got no reply, a count when the prober gave up.
SELECT
    probers.prober_address,
    probers.idle_s,
    string_agg(DISTINCT probers.interval_s::INTEGER, ', ' ORDER BY probers.interval_s::INTEGER) AS intervals_s,
    string_agg(DISTINCT probers.probe_count::INTEGER, ', ' ORDER BY probers.probe_count::INTEGER) AS probe_counts,
    count(*) AS connections
FROM probers
GROUP BY probers.prober_address, probers.idle_s
ORDER BY probers.prober_address, probers.idle_s
