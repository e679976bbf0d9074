-- How complete each host's captures are: damage, the longest pause, packets that other hosts saw first, the clock
WITH following AS (
    SELECT
        captures.*,
        epoch_us(lead(captures.first_time) OVER (PARTITION BY captures.host ORDER BY captures.first_time))
        - epoch_us(captures.last_time) AS pause_us
    FROM captures
)
SELECT
    following.host,
    count(*) AS captures,
    sum(following.packets) AS packets,
    count(*) FILTER (len(following.problems) > 0) AS damaged_captures,
    round(max(following.pause_us) / 1e6, 1) AS longest_pause_s,
    max(row(following.pause_us, following.last_time)) FILTER (following.pause_us IS NOT NULL)[2] AS pause_began,
    sum(following.shared) AS packets_seen_before,
    -- Of all its files: one that shares few packets with others says little of the clock.
    round(median(following.clock_ahead_s), 3) AS clock_ahead_s
FROM following
GROUP BY following.host
ORDER BY following.host
