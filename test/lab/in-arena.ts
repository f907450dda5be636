// Import this first, for its effect: the rest of the program then runs inside the arena (see
// arena.ts). It must be a module of its own, because imports are evaluated before the importing
// module's first statement.
import { enterArena } from './arena.js';

enterArena();
