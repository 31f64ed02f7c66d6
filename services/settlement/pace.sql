-- When cuts are made.

-- name: list_paces
-- Every transit account with an open day: its times of cuts and its last cut.
SELECT t.transit, t.account, coalesce(s.cut_times, '{20:30}'::time[]) AS cut_times,
    coalesce(s.time_zone, 'Europe/Moscow') AS time_zone,
    (SELECT c.made_at FROM settlement.cut c WHERE c.transit = t.transit ORDER BY c.cut DESC LIMIT 1) AS last_cut
FROM reference.transit_account t JOIN ledger.bank_day USING (transit) LEFT JOIN settlement.transit_terms s USING (transit)
ORDER BY t.transit;
