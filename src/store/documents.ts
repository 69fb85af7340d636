import type { Proposal } from '../domain/approvals/proposal.ts'
import type { Incident } from '../domain/incidents/incident.ts'

/** Reads an incident as any version has stored it: its recommendation was called `remedy` at first. */
export function readIncident(data: string): Incident {
  const { remedy, ...rest } = JSON.parse(data) as Incident & { readonly remedy?: Incident['recommendation'] }
  return remedy === undefined ? rest : { ...rest, recommendation: remedy }
}

/** Reads a proposal as any version has stored it: at first it knew of no pooler, and of no denial before it. */
export function readProposal(data: string): Proposal {
  const stored = JSON.parse(data) as Omit<Proposal, 'pooled' | 'denial'> &
    Partial<Pick<Proposal, 'pooled' | 'denial'>>
  return { ...stored, pooled: stored.pooled ?? false, denial: stored.denial ?? null }
}
