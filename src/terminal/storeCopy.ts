import { storeUrl } from '../config/storeUrl.ts'
import type { StoreSettings } from '../store/database.ts'
import { transferStore } from '../store/transfer.ts'
import type { Out } from './out.ts'

/**
 * `store copy FROM TO`: moves all that one store has into an empty one.
 * @param from `to` addresses, as store.url has them
 * @returns 0 when all is there, 2 when an address is none
 */
export async function storeCopy(deps: {
  readonly from: string
  readonly to: string
  readonly out: Out
  readonly err: Out
}): Promise<0 | 2> {
  const { out, err } = deps
  const [from, to] = (['from', 'to'] as const).map((name): StoreSettings | null => {
    const { data, error } = storeUrl.safeParse(deps[name])
    for (const { message } of error?.issues ?? []) err.write(`${name.toUpperCase()}: ${message}\n`)
    return data ?? null
  })
  if (!from || !to) return 2
  const sum = await transferStore(from, to, (table, rows) => out.write(`  ${table}: ${rows}\n`))
  out.write(
    `Copied: ${sum} rows. Set store.url to the new address, check it with "audit verify", then start the bot.\n`,
  )
  return 0
}
