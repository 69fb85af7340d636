import pg from 'pg'

/** Tables of the make-believe company. Each scenario has rows or a table of its own, so that all can be combined. */
const schema = `
  CREATE TABLE IF NOT EXISTS orders (id int PRIMARY KEY, customer text NOT NULL, state text NOT NULL, total numeric NOT NULL);
  CREATE TABLE IF NOT EXISTS invoices (id int PRIMARY KEY, order_id int REFERENCES orders, paid boolean NOT NULL DEFAULT false);
  CREATE TABLE IF NOT EXISTS customers (id int PRIMARY KEY, name text NOT NULL, discount numeric NOT NULL DEFAULT 0);
  CREATE TABLE IF NOT EXISTS stock (id int PRIMARY KEY, article text NOT NULL, amount int NOT NULL);
  CREATE TABLE IF NOT EXISTS accounts (id int PRIMARY KEY, owner text NOT NULL, balance numeric NOT NULL);
  CREATE TABLE IF NOT EXISTS regions (id int PRIMARY KEY, name text NOT NULL);
  CREATE TABLE IF NOT EXISTS visits (page text PRIMARY KEY, seen int NOT NULL);
`
const rows = `
  INSERT INTO orders SELECT n, 'customer ' || n, 'open', n * 9.99 FROM generate_series(1, 1000) AS n;
  INSERT INTO invoices SELECT n, n FROM generate_series(1, 1000) AS n;
  INSERT INTO customers SELECT n, 'customer ' || n, n % 10 FROM generate_series(1, 1000) AS n;
  INSERT INTO stock SELECT n, 'article ' || n, 100 FROM generate_series(1, 200) AS n;
  INSERT INTO accounts SELECT n, 'customer ' || n, 1000 FROM generate_series(1, 200) AS n;
  INSERT INTO regions SELECT n, 'region ' || n FROM generate_series(1, 20) AS n;
  INSERT INTO visits SELECT 'page ' || n, 0 FROM generate_series(1, 20) AS n;
`

/** Makes the tables, unless they are there from an earlier time (`--keep`). */
export async function prepareShop(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: 'setup' })
  await client.connect()
  try {
    await client.query(schema)
    const { rows: found } = await client.query('SELECT count(*)::int AS orders FROM orders')
    if (found[0].orders === 0) await client.query(rows)
  } finally {
    await client.end()
  }
}
