// The page of one submission or run.
import { followAttempt } from "./workbench/attempts.js";

followAttempt().begin();
