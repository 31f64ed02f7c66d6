-- Banks and contacts of recipients: what documents print beside requisites.

-- name: store_banks
-- Banks by БИК; the newest load counts.
INSERT INTO billing.bank AS b (bic, name, correspondent_account, loaded_by, loaded_at)
SELECT u.bic, u.name, u.correspondent, $4, $5 FROM unnest($1::text[], $2::text[], $3::text[]) AS u(bic, name, correspondent)
ON CONFLICT (bic) DO UPDATE SET name = excluded.name, correspondent_account = excluded.correspondent_account,
    loaded_by = excluded.loaded_by, loaded_at = excluded.loaded_at
WHERE (b.name, b.correspondent_account) IS DISTINCT FROM (excluded.name, excluded.correspondent_account)

-- name: store_contacts
-- Contacts of recipients by code; the newest load counts.
INSERT INTO billing.contact AS c (recipient, address, phones, email, site, dispatch_phone, working_hours, loaded_by, loaded_at)
SELECT r.recipient, u.address, u.phones, u.email, u.site, u.dispatch_phone, u.working_hours, $8, $9
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
    AS u(code, address, phones, email, site, dispatch_phone, working_hours) JOIN reference.recipient r USING (code)
ON CONFLICT (recipient) DO UPDATE SET address = excluded.address, phones = excluded.phones, email = excluded.email, site = excluded.site,
    dispatch_phone = excluded.dispatch_phone, working_hours = excluded.working_hours, loaded_by = excluded.loaded_by,
    loaded_at = excluded.loaded_at

-- name: unknown_recipients
-- Codes that no recipient has.
SELECT u.code FROM unnest($1::text[]) AS u(code) WHERE NOT EXISTS (SELECT FROM reference.recipient r WHERE r.code = u.code) ORDER BY 1
