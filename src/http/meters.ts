import { Counter, Gauge, Registry } from 'prom-client'

/** Maker of what Prometheus scrapes: each name is one of ours. */
export type Meters = ReturnType<typeof createMeters>

export function createMeters() {
  const registry = new Registry()
  return {
    registry,
    gauge: <Label extends string>(name: string, help: string, ...labelNames: Label[]) =>
      new Gauge({ name: metricName(name), help, labelNames, registers: [registry] }),
    counter: <Label extends string>(name: string, help: string, ...labelNames: Label[]) =>
      new Counter({ name: metricName(name), help, labelNames, registers: [registry] }),
  }
}

export const metricName = (name: string): string => `pg_marshal_${name}`

/** @returns seconds; 0 where there is nothing that is so old */
export const secondsSince = (since: number | null, now: number): number =>
  since === null ? 0 : Math.max(0, (now - since) / 1000)
