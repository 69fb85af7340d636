/** Action on a session. `cancel` ends its statement, `terminate` ends the session. */
export type Action = 'cancel' | 'terminate'
