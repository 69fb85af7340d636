import type { Actor } from './actor.ts'
import type { Stage } from './stage.ts'

const tooMany = '53300'

/** Opens one more session; returns null when the server has no room for it. */
export async function openIfRoom(stage: Stage, name: string): Promise<Actor | null> {
  try {
    return await stage.open(name)
  } catch (error) {
    if ((error as { code?: string }).code === tooMany) return null
    throw error
  }
}
