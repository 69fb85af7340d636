/** The title of a server process, as `ps` shows it (init_ps_display and set_ps_display in ps_status.c). */
export type Title =
  /** A client backend. A user and a database may have spaces in their names, so the title does not say which is which. */
  | {
      readonly kind: 'client'
      readonly userAndDatabase: string
      /** Address with its port, or `[local]`. */
      readonly client: string
      /**
       * Last activity: the command's tag, `idle`, `idle in transaction`, with `waiting` while it waits for a lock. Null where the
       * title does not say it: update_process_title is off.
       */
      readonly activity: string | null
    }
  /** A process of the server's own. */
  | { readonly kind: 'server'; readonly name: string }

/**
 * Titles of processes that serve no client begin so, up to 19 (miscinit.c, and where each process starts). A user of such
 * a name is taken for one of them, which is the safe side.
 */
const serverTitles =
  /^(?:archiver|autovacuum|background|bgworker|bgwriter|checkpointer|datachecksum|io worker|logger|logical|parallel|REPACK decoding worker|slotsync|startup|stats|syslogger|walreceiver|walsender|walsummarizer|walwriter|wal )/

const clientTitle = /^(?<who>\S.*) (?<client>\[local\]|[^\s()]+\(\d+\))(?: (?<activity>\S.*))?$/

/**
 * Reads a title.
 * @param clusterName that stands before it, see clusterNameIn
 * @returns null for what is no process of PostgreSQL's
 */
export function readTitle(title: string, clusterName: string | null): Title | null {
  const prefix = clusterName === null ? 'postgres: ' : `postgres: ${clusterName}: `
  if (!title.startsWith(prefix)) return null
  const rest = title.slice(prefix.length).trim()
  const found = serverTitles.test(rest) ? undefined : clientTitle.exec(rest)?.groups
  return found?.who && found.client
    ? { kind: 'client', userAndDatabase: found.who, client: found.client, activity: found.activity ?? null }
    : { kind: 'server', name: rest }
}

/** Finds cluster_name in the titles of one server: every server has a checkpointer, a standby too. */
export function clusterNameIn(titles: readonly string[]): string | null {
  const [name] = titles.flatMap((title) => /^postgres: (.+): checkpointer\b/.exec(title)?.[1] ?? [])
  return name ?? null
}
