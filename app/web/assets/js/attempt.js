// The page of one submission or run.
import "./workbench/trace.js";
import { followAttempt } from "./workbench/attempts.js";

followAttempt().begin();
