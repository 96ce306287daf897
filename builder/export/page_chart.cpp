#include "builder/export/page_chart.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "artifacts/manifest/formats.hpp"
#include "builder/export/html.hpp"
#include "core/bytes.hpp"

namespace imgforge::exports {
namespace {

constexpr double kWidth = 704;
constexpr double kHeight = 220;
constexpr double kLeft = 64;
constexpr double kRight = 590;  // behind it stand the names of the formats
constexpr double kTop = 14;
constexpr double kBottom = 188;
constexpr double kLabelHeight = 15;
constexpr std::size_t kColours = 6;
constexpr unsigned kGridSteps = 3;

struct Point {
  std::size_t release;  // oldest is 0
  std::uint64_t size;
};

struct Curve {
  std::string format;
  std::vector<Point> points;
};

std::uint64_t format_size(const Release& release, std::string_view format) {
  std::uint64_t size = 0;
  for (const artifacts::ManifestArtifact& artifact : release.manifest.artifacts) {
    if (artifact.format == format) size += artifact.size;
  }
  return size;
}

std::vector<Curve> curves_of(const Line& line) {
  std::vector<Curve> curves;
  for (const artifacts::Format& format : artifacts::formats()) {
    Curve curve{std::string(format.name), {}};
    const std::size_t count = line.releases.size();
    for (std::size_t i = 0; i < count; ++i) {
      if (const std::uint64_t size = format_size(line.releases[count - 1 - i], format.name); size > 0)
        curve.points.push_back({i, size});
    }
    if (!curve.points.empty()) curves.push_back(std::move(curve));
  }
  return curves;
}

/// A round number of at least `value`, so that the grid's lines have short names.
double round_up(double value) {
  double step = 1;
  while (step * 10 <= value) step *= 10;
  for (const double factor : {1.5, 3.0, 6.0, 9.0}) {
    if (step * factor >= value) return step * factor;
  }
  return step * 15;
}

class Chart {
 public:
  explicit Chart(const Line& line) : line_(line), curves_(curves_of(line)) {
    std::uint64_t largest = 1;
    for (const Curve& curve : curves_) {
      for (const Point& point : curve.points) largest = std::max(largest, point.size);
    }
    top_value_ = round_up(static_cast<double>(largest));
  }

  std::string print(const std::string& id) const {
    std::string text = fmt::format(
        "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-labelledby=\"{}-title {}-text\">\n"
        "<title id=\"{}-title\">Sizes of {}, oldest release to newest</title>\n<desc "
        "id=\"{}-text\">{}</desc>\n",
        kWidth, kHeight, id, id, id, escape_html(line_.name), id, escape_html(description()));
    return text + grid() + curves() + "</svg>\n";
  }

 private:
  double x(std::size_t release) const {
    return kLeft +
           (kRight - kLeft) * static_cast<double>(release) / static_cast<double>(line_.releases.size() - 1);
  }
  double y(double value) const { return kBottom - (kBottom - kTop) * value / top_value_; }
  const Release& oldest() const { return line_.releases.back(); }
  const Release& newest() const { return line_.releases.front(); }

  std::string description() const {
    std::string text;
    for (const Curve& curve : curves_) {
      const Release& first = line_.releases[line_.releases.size() - 1 - curve.points.front().release];
      const Release& last = line_.releases[line_.releases.size() - 1 - curve.points.back().release];
      text += fmt::format("{}: {} in {}, {} in {}. ", curve.format,
                          core::Bytes{curve.points.front().size}.human(), first.manifest.version,
                          core::Bytes{curve.points.back().size}.human(), last.manifest.version);
    }
    return text;
  }

  std::string grid() const {
    std::string text;
    for (unsigned i = 0; i <= kGridSteps; ++i) {
      const double value = top_value_ * i / kGridSteps;
      text += fmt::format("<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>\n", kLeft,
                          kRight, y(value), y(value));
      text +=
          fmt::format("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", kLeft - 8, y(value) + 4,
                      i == 0 ? "0" : core::Bytes{static_cast<std::uint64_t>(value)}.human());
    }
    text += fmt::format("<text x=\"{}\" y=\"{}\">{}</text>\n", kLeft, kBottom + 20,
                        escape_html(oldest().manifest.version));
    text += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n", kRight, kBottom + 20,
                        escape_html(newest().manifest.version));
    return text;
  }

  std::string curves() const {
    std::string text;
    const std::vector<double> labels = label_heights();
    for (std::size_t i = 0; i < curves_.size(); ++i) {
      const Curve& curve = curves_[i];
      const std::string colour = fmt::format("s{}", i % kColours);
      std::string path;
      for (const Point& point : curve.points)
        path += fmt::format("{:.1f},{:.1f} ", x(point.release), y(static_cast<double>(point.size)));
      text += fmt::format("<polyline class=\"curve {}\" points=\"{}\"/>\n", colour, path);
      for (const Point& point : curve.points) {
        const Release& release = line_.releases[line_.releases.size() - 1 - point.release];
        text += fmt::format(
            "<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"><title>{} {}: {}</title></circle>\n",
            colour, x(point.release), y(static_cast<double>(point.size)),
            escape_html(release.manifest.version), curve.format, core::Bytes{point.size}.human());
      }
      text += fmt::format("<text class=\"{}\" x=\"{}\" y=\"{:.1f}\">{} {}</text>\n", colour, kRight + 10,
                          labels[i] + 4, curve.format, core::Bytes{curve.points.back().size}.human());
    }
    return text;
  }

  /// Where the names of the curves stand: beside their last points, pushed apart.
  std::vector<double> label_heights() const {
    std::vector<std::size_t> order(curves_.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    const auto wanted = [&](std::size_t i) { return y(static_cast<double>(curves_[i].points.back().size)); };
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return wanted(a) > wanted(b); });
    std::vector<double> heights(curves_.size());
    double limit = kBottom + 4;
    for (const std::size_t i : order) {
      heights[i] = std::min(wanted(i), limit);
      limit = heights[i] - kLabelHeight;
    }
    return heights;
  }

  const Line& line_;
  std::vector<Curve> curves_;
  double top_value_ = 1;
};

}  // namespace

std::string print_size_chart(const Line& line, const std::string& id) {
  return line.releases.size() < 2 ? std::string() : Chart(line).print(id);
}

}  // namespace imgforge::exports
