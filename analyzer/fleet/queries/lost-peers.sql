-- Which services lost peers: dead peers by server, who gave them up, the first and the last
SELECT
    flows.server_address,
    flows.server_port,
    coalesce(flows.ending_by, 'nobody yet') AS given_up_by,
    count(*) AS connections,
    count(DISTINCT flows.client_address) AS clients,
    min(flows.ending_time) AS first_given_up,
    max(flows.ending_time) AS last_given_up
FROM flows
WHERE flows.verdict = 'dead_peer'
GROUP BY ALL
ORDER BY connections DESC, flows.server_address, flows.server_port, given_up_by
