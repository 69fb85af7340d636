import { exampleTeam, type Seed } from 'slack-workspace'

/** The people of the practice room, and the bot among them. */
export const team: Seed = {
  ...exampleTeam,
  team: { ...exampleTeam.team, name: 'Practice room', domain: 'practice-room' },
  app: { ...exampleTeam.app, name: 'pg-marshal' },
}
