import type { Incident } from '../domain/incidents/incident.ts'

/** Reads an incident as any version has stored it: its recommendation was called `remedy` at first. */
export function readIncident(data: string): Incident {
  const { remedy, ...rest } = JSON.parse(data) as Incident & { readonly remedy?: Incident['recommendation'] }
  return remedy === undefined ? rest : { ...rest, recommendation: remedy }
}
