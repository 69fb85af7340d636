import { nobodyWaits, type Scenario } from './scenario.ts'

export const preparedTransaction: Scenario = {
  id: 'prepared-transaction',
  title: 'A prepared transaction that nobody finished',
  story: 'Bookings on one account hang, and no session seems to be in their way.',
  cause: 'PREPARE TRANSACTION left its locks behind; only COMMIT PREPARED or ROLLBACK PREPARED ends them.',
  gentlest: null,
  isOver: nobodyWaits,
  clean: async (admin, { tag }) => {
    const gid = `payment-${tag}`
    // Somebody may have finished it by hand.
    const left = await admin.query('SELECT gid FROM pg_prepared_xacts WHERE gid = $1', [gid])
    if (left.length > 0) await admin.query(`ROLLBACK PREPARED '${gid}'`)
  },
  async start(stage) {
    const payments = await stage.open('payments')
    await payments.run('BEGIN')
    await payments.run('UPDATE accounts SET balance = balance - 25 WHERE id = 77')
    await payments.run(`PREPARE TRANSACTION 'payment-${stage.tag}'`)
    const ledgers = []
    for (let n = 1; n <= 3; n++) {
      const ledger = await stage.open(`ledger-${n}`)
      ledger.leave('UPDATE accounts SET balance = balance + 5 WHERE id = 77')
      ledgers.push(ledger)
    }
    await stage.untilWaiting(...ledgers)
  },
}
