/**
 * The `openmaas` command. Nothing heavy is imported here: the shape of all commands is one table
 * (program/tree.ts), and the module of a command is loaded when it is the one that runs.
 */
import process from 'node:process'
import { runProgram } from './program/run.ts'

// At once: all is written and closed, and to take the memory apart piece by piece takes 10 ms.
process.exit(await runProgram(process))
