-- Which services lost peers, and when: dead peers by server, the first and the last
SELECT server_address, server_port, count(*) AS dead, count(DISTINCT client_address) AS clients,
       min(ending_time) AS first_given_up, max(ending_time) AS last_given_up
FROM flows
WHERE verdict = 'dead_peer'
GROUP BY ALL
ORDER BY dead DESC, server_address, server_port
