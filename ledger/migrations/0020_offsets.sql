-- Offsets of advances: entries of kind 6, made when a document is published or an advance is found (docs/billing-offsets.md).

-- The ledger's own operation space of offsets.
INSERT INTO reference.operation_space (space, name) VALUES (7, 'ledger:offset');

-- Services charged in their season alone: an advance on such a line is spent on other lines only while the newest document charges it.
CREATE TABLE reference.seasonal_service (
    service text PRIMARY KEY,
    source text NOT NULL CONSTRAINT seasonal_service_source CHECK (source <> ''));
INSERT INTO reference.seasonal_service (service, source) VALUES
    ('heating', 'ПП 354 п. 42(1): платят в отопительный период; при равномерной оплате строка есть в каждом документе');
GRANT SELECT ON reference.seasonal_service TO kopeck_services, kopeck_reader;
GRANT INSERT, DELETE ON reference.seasonal_service TO kopeck_services;

-- What an advance's holder owes because it had been paid the advance before it was offset against lines of others.
ALTER TABLE settlement.claim DROP CONSTRAINT claim_why;
ALTER TABLE settlement.claim ADD CONSTRAINT claim_why CHECK (why IN ('correction', 'refund', 'fee', 'commission', 'debt', 'offset'));

-- Reversed offsets take back from the month's consolidated receipt: below nought.
ALTER TABLE fiscal.advance_offset DROP CONSTRAINT advance_offset_amount;
ALTER TABLE fiscal.advance_offset ADD CONSTRAINT advance_offset_amount CHECK (amount <> 0);
