// What leaders tell one another, and what becomes of it on the board; see control_leader.hpp.
#include <algorithm>

#include "bootstrap/log.hpp"
#include "runtime/control_leader.hpp"

namespace tutti {

void ControlLeader::tell(Neighbour& neighbour, const control::Message& message) {
  neighbour.connection.send(control::encode(message));
}

void ControlLeader::tell(const control::Message& message, const Neighbour* but) {
  for (const auto& neighbour : neighbours_)
    if (neighbour->node >= 0 && !neighbour->lost && neighbour.get() != but) tell(*neighbour, message);
}

void ControlLeader::tell_towards(int node, const control::Message& message, const Neighbour* but) {
  const auto way = via_.find(node);
  if (way != via_.end() && way->second != but)
    tell(*way->second, message);
  else
    tell(message, but);
}

// The first words on a new connection: who this is.
void ControlLeader::greet(Neighbour& neighbour) {
  tell(neighbour, control::Hello{node_, board_.rank(), board_.process(board_.rank())});
}

// The answer to the other side's first words is everything that is known here.
void ControlLeader::welcome(Neighbour& from, const control::Hello& hello) {
  if (hello.node < 0 || hello.node >= static_cast<int>(members_.size()) || board_.at_node(hello.rank) != hello.node) {
    from.lost = true;
    return;
  }
  // A leader of the same node from before is over, whether its end was seen or not.
  for (const auto& other : neighbours_)
    if (other->node == hello.node && other.get() != &from) other->lost = true;
  from.node = hello.node;
  from.rank = hello.rank;
  from.process = hello.process;
  via_[hello.node] = &from;
  board_.import_state(hello.rank, RankState::alive, hello.process);
  if (!from.upwards) greet(from);
  for (const control::Ended& ended : ended_) tell(from, ended);
  for (const Failure& failure : board_.failures(0)) tell(from, failure);
  std::vector<DecisionNews> nothing;
  for (const DecisionNews& news : board_.decision_news(nothing)) tell(from, news);
}

void ControlLeader::take(Neighbour& from, control::Message& message) {
  if (const auto* hello = std::get_if<control::Hello>(&message)) return welcome(from, *hello);
  if (const auto* ended = std::get_if<control::Ended>(&message)) {
    const bool possible = ended->state == RankState::dead || ended->state == RankState::goodbye;
    if (possible && !board_.is_here(ended->rank)) end(ended->rank, ended->state, ended->process, &from);
  }
  // What is new here goes on with the next round.
  if (const auto* failure = std::get_if<Failure>(&message)) board_.import(*failure);
  if (const auto* news = std::get_if<DecisionNews>(&message)) board_.import(*news);
  if (const auto* question = std::get_if<control::Question>(&message)) route(from, *question);
  if (const auto* answer = std::get_if<control::Answer>(&message)) route(from, *answer);
}

void ControlLeader::route(Neighbour& from, const control::Question& question) {
  if (question.origin < 0 || question.origin >= static_cast<int>(members_.size()) || question.origin == node_) return;
  via_[question.origin] = &from;
  if (board_.is_here(question.rank)) {
    // A death is found by looking, here too; what the dead had decided is told before it.
    spread_news();
    look_at_locals(true);
    tell(from, control::Answer{question.origin, question.rank, board_.report(question.rank)});
  } else {
    tell_towards(board_.at_node(question.rank), question, &from);
  }
}

void ControlLeader::route(Neighbour& from, const control::Answer& answer) {
  if (board_.is_here(answer.rank)) return;
  via_[board_.at_node(answer.rank)] = &from;
  if (answer.origin == node_) {
    if (answer.report.state == RankState::dead || answer.report.state == RankState::goodbye)
      end(answer.rank, answer.report.state, answer.report.process, &from);
    board_.import(answer.rank, answer.report);
  } else if (answer.origin >= 0 && answer.origin < static_cast<int>(members_.size())) {
    tell_towards(answer.origin, answer, &from);
  }
}

// A rank of another node is dead or gone: for the board and for everybody else, unless that is known.
void ControlLeader::end(int rank, RankState state, int process, const Neighbour* from) {
  if (process == 0) process = addresses_.processes[static_cast<std::size_t>(rank)];
  if (board_.is_here(rank) || !board_.import_state(rank, state, process)) return;
  const control::Ended ended{rank, state, board_.process(rank)};
  ended_.push_back(ended);
  tell(ended, from);
}

// Deaths and goodbyes on this node; where `all`, by looking at each rank that has not left.
void ControlLeader::look_at_locals(bool all) {
  for (Local& local : locals_) {
    if (local.told) continue;
    const bool left = board_.state(local.rank) >= RankState::goodbye;
    if (!left && (!all || board_.life(local.rank) == Board::Life::alive)) continue;
    local.told = true;
    const control::Ended ended{local.rank, board_.state(local.rank), board_.process(local.rank)};
    ended_.push_back(ended);
    tell(ended);
  }
}

void ControlLeader::look_at_suspects() {
  const auto now = Clock::now();
  for (std::size_t i = 0; i < suspects_.size();) {
    const Suspect suspect = suspects_[i];
    const bool known = board_.state(suspect.rank) >= RankState::goodbye;
    if (!known && now < suspect.until) {
      ++i;
      continue;
    }
    if (!known) end(suspect.rank, RankState::dead, suspect.process, nullptr);
    suspects_.erase(suspects_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

// Failures and decisions that came to the board since the last time. Those that came from a neighbour go back to it
// too, which drops them.
void ControlLeader::spread_news() {
  const std::uint64_t announced = board_.failures_announced();
  if (announced != failures_told_) {
    const std::vector<Failure> news = board_.failures(failures_told_);
    for (const Failure& failure : news) tell(failure);
    // One that is being written now is told the next time, with the others once more.
    if (news.size() == announced - failures_told_ || announced - failures_told_ > news.size() + 64)
      failures_told_ = announced;
  }
  for (const DecisionNews& news : board_.decision_news(decisions_)) tell(news);
}

void ControlLeader::ask() {
  for (int rank : board_.take_asked())
    if (!board_.is_here(rank)) {
      tell_towards(board_.at_node(rank), control::Question{node_, rank}, nullptr);
      if (board_.is_silent(rank)) probe(board_.at_node(rank));
    }
}

}  // namespace tutti
