-- When services lost connections: by minute (UTC), server and verdict
SELECT
    date_trunc('minute', coalesce(flows.ending_time, flows."end")) AS "minute",
    flows.server_address,
    flows.server_port,
    flows.verdict,
    count(*) AS connections
FROM flows
WHERE flows.verdict IN ('dead_peer', 'lost_state', 'middlebox_reset', 'middlebox_drop', 'retransmission_timeout')
GROUP BY ALL
ORDER BY ALL
