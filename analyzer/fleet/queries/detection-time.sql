-- How long it took to notice dead peers: from the last packet received to giving up, by keepalive settings
WITH given_up AS (
    SELECT
        if(episodes.sender = 'client', flows.tcp_keepalive_time_value_client, flows.tcp_keepalive_time_value_server)
            AS idle_s,
        if(episodes.sender = 'client', flows.tcp_keepalive_intvl_value_client, flows.tcp_keepalive_intvl_value_server)
            AS interval_s,
        if(episodes.sender = 'client', flows.tcp_keepalive_probes_value_client, flows.tcp_keepalive_probes_value_server)
            AS probe_count,
        epoch(flows.ending_time) - epoch(episodes.start) AS noticed_s
    FROM episodes
    INNER JOIN flows ON episodes.stream = flows.stream
    WHERE flows.verdict = 'dead_peer' AND episodes.outcome = 'timed_out'
)
SELECT
    given_up.idle_s,
    given_up.interval_s,
    given_up.probe_count,
    count(*) AS connections,
    round(min(given_up.noticed_s), 1) AS shortest_s,
    round(median(given_up.noticed_s), 1) AS median_s,
    round(max(given_up.noticed_s), 1) AS longest_s
FROM given_up
GROUP BY given_up.idle_s, given_up.interval_s, given_up.probe_count
ORDER BY median_s DESC, given_up.idle_s, given_up.interval_s, given_up.probe_count
