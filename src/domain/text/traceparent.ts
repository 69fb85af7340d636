/** Version, trace, span and flags: https://www.w3.org/TR/trace-context/#traceparent-header-field-values */
const traceparent = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}$/

/** Reads the ids of a traceparent; null where it is none. */
export function traceOf(value: string): { readonly traceId: string; readonly spanId: string } | null {
  const ids = traceparent.exec(value)
  return ids && { traceId: ids[1] ?? '', spanId: ids[2] ?? '' }
}
