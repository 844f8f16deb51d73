"""English stories."""

from benchmarks.problems.story import Language, Story

ENGLISH = Language(
    code="en",
    names=(
        *("Anna", "Ben", "Carla", "David", "Emma", "Felix", "Grace", "Hugo", "Iris", "Jonas"),
        *("Kira", "Leo", "Maya", "Nina", "Omar", "Petra", "Rosa", "Sam", "Tom", "Vera"),
    ),
    stories=(
        Story(
            ("marbles", "stamps", "cards", "shells"),
            "{name} has {n} {thing}.",
            {
                "gain": ("{name} finds {n} more.", "A friend gives {name} {n} more {thing}."),
                "lose": ("{name} gives {n} away.", "{name} loses {n} of the {thing}."),
                "gain_groups": ("{name} buys {m} packs of {n} {thing}.",),
                "lose_groups": ("{name} gives {m} friends {n} {thing} each.",),
                "times": ("Then {name} has {n} times as many {thing}.",),
                "share": ("{name} splits the {thing} into {n} equal piles and keeps one.",),
            },
            "How many {thing} does {name} have now?",
        ),
        Story(
            ("rolls", "buns", "cakes"),
            "A bakery starts the day with {n} {thing}.",
            {
                "gain": ("{name} bakes {n} more.",),
                "lose": ("The bakery sells {n}.", "{n} of the {thing} are sold."),
                "gain_groups": ("{name} bakes {m} trays with {n} {thing} each.",),
                "lose_groups": ("{m} customers buy {n} {thing} each.",),
            },
            "How many {thing} are left?",
        ),
        Story(
            ("books",),
            "The library has {n} {thing}.",
            {
                "gain": ("Readers return {n} {thing}.", "{name} gives the library {n} more."),
                "lose": ("Readers take {n} {thing} home.",),
                "gain_groups": ("{m} boxes of {n} {thing} arrive.",),
                "lose_groups": ("{m} schools borrow {n} {thing} each.",),
                "times": ("In a year there are {n} times as many {thing}.",),
            },
            "How many {thing} does the library have now?",
        ),
        Story(
            ("eggs",),
            "{name} collects {n} {thing} on the farm.",
            {
                "gain": ("The next day brings {n} more {thing}.",),
                "lose": ("{name} sells {n} {thing}.", "{n} {thing} break."),
                "gain_groups": ("{m} hens lay {n} {thing} each.",),
                "lose_groups": ("{name} fills {m} cartons with {n} {thing} each and sells them.",),
                "share": ("{name} puts the {thing} into {n} equal baskets and keeps one.",),
            },
            "How many {thing} does {name} have left?",
        ),
        Story(
            ("apples", "pears", "plums"),
            "{name} picks {n} {thing}.",
            {
                "gain": ("{name} picks {n} more.",),
                "lose": ("{n} {thing} are eaten.", "{name} sells {n} {thing}."),
                "gain_groups": ("{m} trees give {n} {thing} each.",),
                "lose_groups": ("{name} sells {m} bags of {n} {thing}.",),
                "share": ("{name} puts the {thing} into {n} equal baskets and keeps one.",),
            },
            "How many {thing} does {name} have left?",
        ),
        Story(
            ("passengers",),
            "A train leaves with {n} {thing}.",
            {
                "gain": ("{n} {thing} get on.", "At the next stop {n} more get on."),
                "lose": ("{n} {thing} get off.", "At the next stop {n} get off."),
                "gain_groups": ("{m} groups of {n} get on.",),
                "lose_groups": ("{m} groups of {n} get off.",),
            },
            "How many {thing} are on the train now?",
        ),
        Story(
            ("dollars",),
            "{name} has saved {n} {thing}.",
            {
                "gain": ("{name} earns {n} {thing}.", "{name} gets a gift of {n} {thing}."),
                "lose": ("{name} spends {n} {thing}.", "{name} pays {n} {thing} for a bike."),
                "gain_groups": ("{name} works {m} days for {n} {thing} each.",),
                "lose_groups": ("{name} buys {m} tickets for {n} {thing} each.",),
                "times": ("The savings grow to {n} times as much.",),
            },
            "How many {thing} does {name} have now?",
        ),
        Story(
            ("points",),
            "{name} starts a game with {n} {thing}.",
            {
                "gain": ("{name} wins {n} {thing}.",),
                "lose": ("{name} loses {n} {thing}.",),
                "gain_groups": ("{name} wins {m} rounds worth {n} {thing} each.",),
                "lose_groups": ("{name} loses {m} rounds worth {n} {thing} each.",),
                "times": ("A bonus makes the score {n} times as large.",),
                "share": ("The score is divided by {n}.",),
            },
            "How many {thing} does {name} have now?",
        ),
        Story(
            ("crates", "parcels"),
            "A warehouse holds {n} {thing}.",
            {
                "gain": ("{n} more arrive.", "A truck brings {n} {thing}."),
                "lose": ("A truck takes {n} {thing} away.",),
                "gain_groups": ("{m} trucks bring {n} {thing} each.",),
                "lose_groups": ("{m} trucks take {n} {thing} each away.",),
                "share": (
                    "The {thing} are split equally over {n} halls, and {name} counts one hall.",
                ),
            },
            "How many {thing} are there now?",
        ),
        Story(
            ("litres",),
            "A tank holds {n} {thing} of water.",
            {
                "gain": ("{name} adds {n} {thing}.", "Rain adds {n} {thing}."),
                "lose": ("{name} uses {n} {thing}.",),
                "gain_groups": ("{name} adds {m} barrels of {n} {thing}.",),
                "lose_groups": ("{name} fills {m} barrels with {n} {thing} each from the tank.",),
            },
            "How many {thing} are in the tank now?",
        ),
        Story(
            ("pencils", "pens"),
            "A school has {n} {thing}.",
            {
                "gain": ("The school buys {n} more.",),
                "lose": ("{n} {thing} are lost.", "{name} hands out {n} {thing}."),
                "gain_groups": ("{name} orders {m} boxes of {n} {thing}.",),
                "lose_groups": ("{m} classes take {n} {thing} each.",),
                "share": (
                    "The {thing} are split equally over {n} classes, and {name} counts one class.",
                ),
            },
            "How many {thing} are there now?",
        ),
        Story(
            ("roses", "tulips"),
            "There are {n} {thing} in the garden.",
            {
                "gain": ("{name} plants {n} more.",),
                "lose": ("{name} cuts {n} {thing}.",),
                "gain_groups": ("{name} plants {m} rows of {n} {thing}.",),
                "lose_groups": ("{name} cuts {m} rows of {n} {thing}.",),
                "times": ("In spring there are {n} times as many {thing}.",),
            },
            "How many {thing} are in the garden now?",
        ),
        Story(
            ("bolts", "screws"),
            "A factory makes {n} {thing} in the morning.",
            {
                "gain": ("Then it makes {n} more.",),
                "lose": ("{n} {thing} are thrown away.",),
                "gain_groups": ("{m} machines make {n} {thing} each.",),
                "lose_groups": ("The factory sells {m} boxes of {n} {thing}.",),
                "times": ("By evening there are {n} times as many {thing}.",),
            },
            "How many {thing} does the factory have now?",
        ),
        Story(
            ("visitors",),
            "In the morning {n} {thing} are in the museum.",
            {
                "gain": ("{n} more come in.",),
                "lose": ("{n} {thing} go home.",),
                "gain_groups": ("{m} buses bring {n} {thing} each.",),
                "lose_groups": ("{m} groups of {n} go home.",),
            },
            "How many {thing} are in the museum now?",
        ),
    ),
    working={
        "gain": "More",
        "lose": "Less",
        "groups": "Together",
        "times": "Times",
        "share": "Each",
    },
    answer="Answer: ",
    drill="What is {a} {operator} {b}?",
    json="Answer in JSON.",
)
