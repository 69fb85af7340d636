import pg from 'pg'

/** One connection of the make-believe company. */
type Actor = { readonly client: pg.Client; readonly gone: Promise<unknown> }

export type Trouble = {
  /** Ends every session that is still there. */
  stop(): Promise<void>
}

const schema = `
  CREATE TABLE orders (id int PRIMARY KEY, customer text NOT NULL, state text NOT NULL, total numeric NOT NULL);
  CREATE TABLE invoices (id int PRIMARY KEY, order_id int REFERENCES orders, paid boolean NOT NULL DEFAULT false);
  INSERT INTO orders SELECT n, 'customer ' || n, 'open', n * 9.99 FROM generate_series(1, 1000) AS n;
  INSERT INTO invoices SELECT n, n FROM generate_series(1, 1000) AS n;
`

/**
 * Real trouble on a real server: a chain of sessions that wait behind one that is idle in its transaction, another one
 * idle in a transaction that nobody waits for yet, and a long query.
 * @param url connection string of an ordinary role that may create tables
 */
export async function makeTrouble(url: string): Promise<Trouble> {
  const actors: Actor[] = []
  const connect = async (applicationName: string): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: url, application_name: applicationName })
    // Being terminated is what these sessions are for.
    client.on('error', () => {})
    await client.connect()
    actors.push({ client, gone: new Promise((resolve) => client.once('end', resolve)) })
    return client
  }
  /** A statement that will wait, or run long: how it ends does not matter here. */
  const leave = (client: pg.Client, sql: string) => void client.query(sql).catch(() => {})

  const setup = await connect('setup')
  await setup.query(schema)
  await setup.end()

  const checkout = await connect('checkout')
  await checkout.query('BEGIN')
  await checkout.query("UPDATE orders SET state = 'paying' WHERE id = 17 -- card of customer 17")

  const fulfilment = await connect('fulfilment')
  await fulfilment.query('BEGIN')
  await fulfilment.query('UPDATE invoices SET paid = true WHERE order_id = 42')
  leave(fulfilment, "UPDATE orders SET state = 'shipped' WHERE id = 17")

  for (const name of ['web-1', 'web-2', 'web-3'])
    leave(
      await connect(name),
      "UPDATE orders SET state = 'cancelled', customer = 'Ada Lovelace' WHERE id = 17",
    )
  leave(await connect('billing'), 'UPDATE invoices SET paid = false WHERE order_id = 42')

  const importer = await connect('nightly-import')
  await importer.query('BEGIN')
  await importer.query("INSERT INTO orders VALUES (5001, 'imported', 'open', 1)")

  leave(await connect('reporting'), 'SELECT count(*), pg_sleep(3600) FROM orders')

  return {
    async stop() {
      for (const { client } of actors) client.connection.stream.destroy()
      await Promise.all(actors.map(({ gone }) => gone))
    },
  }
}
