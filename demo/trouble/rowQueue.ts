import { nobodyWaits, type Scenario } from './scenario.ts'

export const rowQueue: Scenario = {
  id: 'row-queue',
  title: 'A row queue behind an idle transaction',
  story: 'Customers cannot finish order 17, and the shop gets slower.',
  cause: 'checkout changed a row, forgot to commit, and everyone who wants the row stands in line.',
  gentlest: {
    words: 'Terminate checkout: nothing runs in it, and only its open transaction is lost.',
    how: 'terminated',
    ends: ['checkout'],
  },
  isOver: nobodyWaits,
  clean: async (admin) => {
    await admin.query("UPDATE orders SET state = 'open' WHERE id = 17")
    await admin.query('UPDATE invoices SET paid = false WHERE order_id = 42')
  },
  async start(stage) {
    const checkout = await stage.open('checkout')
    await checkout.run('BEGIN')
    await checkout.run("UPDATE orders SET state = 'paying' WHERE id = 17 -- card of customer 17")

    const fulfilment = await stage.open('fulfilment')
    await fulfilment.run('BEGIN')
    await fulfilment.run('UPDATE invoices SET paid = true WHERE order_id = 42')
    fulfilment
      .run("UPDATE orders SET state = 'shipped' WHERE id = 17")
      // Once it has its row it goes on as it was meant to.
      .then(() => fulfilment.run('COMMIT'))
      .catch(() => {})
    await stage.untilWaiting(fulfilment)

    const others = []
    for (const name of ['web-1', 'web-2', 'web-3', 'web-4']) {
      const web = await stage.open(name)
      web.leave("UPDATE orders SET state = 'cancelled' WHERE id = 17 AND customer <> 'Ada Lovelace'")
      others.push(web)
    }
    const billing = await stage.open('billing')
    billing.leave('UPDATE invoices SET paid = false WHERE order_id = 42')
    await stage.untilWaiting(...others, billing)
  },
}
