/**
 * The `openmaas` command. Nothing heavy is imported here: the shape of all commands is one table
 * (program/tree.ts), and the module of a command is loaded when it is the one that runs.
 */
import process from 'node:process'
import { endLane, takeEarlyLanes } from '@openmaas/agent/capture/early-lanes'
import { runProgram } from './program/run.ts'

const code = await runProgram(process)
// Of a command that ended before it could use them.
await Promise.all(takeEarlyLanes().map(endLane))
// At once: all is written and closed, and to take the memory apart piece by piece takes 10 ms.
process.exit(code)
