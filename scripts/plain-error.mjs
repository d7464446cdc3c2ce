/** An error whose message says all that there is to say: scripts print it without a stack. */
export class PlainError extends Error {}
