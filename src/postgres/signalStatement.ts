import pg from 'pg'
import type { Guard } from '../domain/approvals/approvedState.ts'
import { statements } from './statements.ts'

/** The values of the statement that sends a signal, and the whole of it as one line that a DBA can read and run. */
export function signalStatement(guard: Guard): {
  readonly values: readonly (string | number | null)[]
  readonly sql: string
} {
  const { pid, backendStart } = guard.key
  const state =
    guard.action === 'cancel'
      ? [guard.queryStart, guard.stateChange, guard.queryId]
      : [guard.xactStart, guard.backendXid, guard.state, guard.stateChange]
  const values = [pid, backendStart, ...state, guard.signalBefore]
  return { values, sql: withValues(statements[guard.action].text, values) }
}

/** It is shown and kept; what runs has its values apart. */
function withValues(text: string, values: readonly (string | number | null)[]): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll(/\$(\d)/g, (_, index) => {
    const value = values[Number(index) - 1]
    return typeof value === 'string' ? pg.escapeLiteral(value) : String(value ?? 'NULL')
  })
}
