// Lessons and the course page. Everything here adds comfort: without it the text reads and the quizzes work.
import { keepGuestWork } from "./lesson/guest.js";
import { offerCopies } from "./lesson/copy.js";
import { keepPlace } from "./lesson/place.js";
import { followReading } from "./lesson/reading.js";
import { liveQuizzes } from "./lesson/quiz.js";

const page = document.querySelector("[data-lesson-page]");
const guest = keepGuestWork(page);
if (page) {
  keepPlace();
  followReading(page, guest);
  liveQuizzes(page, guest);
  offerCopies(page);
}
