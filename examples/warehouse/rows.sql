INSERT INTO warehouse.member VALUES (7, 'kari@example.no', 'Kari', 'Nordmann', '2026-01-05T10:00:00Z');
INSERT INTO warehouse.article VALUES
  ('ULL-1', 'Ullgenser', 1039.60, 25, '2026-01-05T10:00:00Z'),
  ('KAFFE', 'Kaffe', 78.17, 15, '2026-01-05T10:00:00Z');
INSERT INTO warehouse.sale VALUES
  (9001, 7, 'completed', '2026-01-05T23:30:00Z', 2868.69, '2026-01-06T10:00:00Z');
INSERT INTO warehouse.sale_row VALUES
  (9001, 1, 'ULL-1', 2, 2079.20, 25), (9001, 2, 'KAFFE', 3, 234.51, 15);
