"""Names for generated people.

Nobody here exists. The lists are common given names and surnames of Bosnia and Herzegovina, each list roughly from the
most frequent to the rarest; a generated person's name, parent, day of birth and address are drawn by chance. Where a
combination is that of a living person, it is by chance as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from random import Random
from typing import Final, NamedTuple

from register.law.alphabet import to_cyrillic
from register.law.events import Sex

#: How quickly frequency falls along a list: the n-th name weighs 1 / (n + this).
_FLATNESS: Final = 12


class Tradition(NamedTuple):
    """The names of one naming tradition, most frequent first, with cumulative weights for drawing."""

    female: tuple[str, ...]
    male: tuple[str, ...]
    surnames: tuple[str, ...]
    female_weights: tuple[float, ...]
    male_weights: tuple[float, ...]
    surname_weights: tuple[float, ...]


class PersonName(NamedTuple):
    """A name as a registry office recorded it; ``cyrillic`` where it is in that script."""

    surname: str
    given_name: str
    parent_name: str
    cyrillic: bool


def _weights(names: Sequence[str]) -> tuple[float, ...]:
    return tuple(accumulate(1 / (place + _FLATNESS) for place in range(len(names))))


def _tradition(female: str, male: str, surnames: str) -> Tradition:
    women, men, families = (tuple(words.split()) for words in (female, male, surnames))
    return Tradition(women, men, families, _weights(women), _weights(men), _weights(families))


_BOSNIAK = _tradition(
    """Amina Fatima Emina Lejla Merima Aida Amra Mirela Sabina Almedina Azra Senada Hatidža Alma Zejna Mersiha Jasmina
    Selma Adisa Edina Fadila Hajra Samira Enisa Zumra Šefika Mediha Nermina Ajla Melisa Belma Đulsa Ismeta Lamija Nejra
    Medina Ilma Zlata Vahida Hasiba Refija Munira Ševala Rabija Sanela Elma Džana Dženana Naida Meliha Zehra Nura
    Mevlida Đenana Indira Nihada Šemsa Ajiša Fikreta Mubera Arijana Džejla Hanifa Esma Ermina""",
    """Mohamed Amar Tarik Emir Adnan Haris Mirza Damir Senad Elvir Samir Nermin Armin Edin Mehmed Ibrahim Mustafa Hasan
    Husein Ahmed Osman Admir Almir Kenan Muhamed Jasmin Mujo Suljo Alija Ramiz Fikret Hamdija Nedžad Sead Fuad Izet
    Redžo Refik Rasim Zijad Nihad Džemal Džemo Enver Ermin Vedad Muris Benjamin Dino Dževad Ćamil Šefik Šaban Ismet
    Zahid Bajro Hajrudin Đulaga Meho Nurija Ekrem Eldin Hamza Faruk Esad""",
    """Hodžić Hadžić Begić Delić Halilović Suljić Hasanović Mehić Mujić Avdić Omerović Ibrahimović Smajić Muratović
    Ahmetović Karić Salkić Selimović Husić Alić Osmanović Mešić Bešić Imamović Kovačević Čaušević Dedić Hrustić Jusić
    Softić Memić Zukić Šabić Tahirović Durić Beganović Mahmutović Huskić Kadić Bajrić Halilić Porić Kapić Redžić Ramić
    Zulić Topalović Veladžić Ljubijankić Džaferović Đulić Čehić Ćehajić Ćatić Šehić Šišić Žilić Džinić Njuhović Ljaljić
    Musić Nuhanović Pašić Pajazetović Rizvić Sarajlić Tabaković Turković Velić Vilić Zahirović Abdić Aganović Arnautović
    Buljubašić Brkić Cerić Dautović Efendić Fazlić Gutić Handanović Isaković Jašarević Kulenović Lipovača Mulalić
    Nezirović Okanović Puškar Rekić Sijamhodžić Spahić Terzić Uzunović Vrabac Zečević Skenderović Bećirević Bašić
    Crnkić Ćosić Dizdarević Đozić Hukanović Kahriman Ljubović Njemčević Ćerimagić Džanić Šahinović Žigić""",
)
_CROAT = _tradition(
    """Marija Ana Ivana Marina Katarina Mirjana Ivanka Anđa Kata Ruža Mara Iva Lucija Matea Josipa Antonija Martina
    Anita Jelena Kristina Marijana Petra Mia Ema Dragica Ljubica Zdenka Slavica Nada Vesna Ljilja Jozefina Božica Lidija
    Magdalena Nikolina Tea Tanja Zorica Janja Manda Stana Cvita Ljerka Snježana Štefica Željka Andrijana
    Ružica Perka""",
    """Ivan Josip Ante Marko Stjepan Mario Tomislav Zoran Dragan Željko Mato Ivo Anto Pero Franjo Luka Petar Nikola
    Mate Jure Ivica Mladen Goran Hrvoje Dario Davor Kristijan Matej Filip Jakov Stipe Jozo Vinko Slavko Zdravko Drago
    Niko Vlado Branko Karlo Dominik Blaž Šimo Šimun Ljubo Ljubomir Andrija Tadija Grgo Bono Križan Zvonko Đuro""",
    """Marić Jurić Tomić Perić Matić Pavlović Lovrić Babić Knežević Ćorić Jukić Zovko Šimić Soldo Barišić Bošnjak
    Mikulić Ivanković Ljubić Rajić Bagarić Topić Čolić Krešić Raguž Vidović Galić Marković Pavić Lučić Brkić Marušić
    Filipović Kovačević Petrović Boban Mandić Dujmović Bilić Baković Grubišić Dodig Šarić Šušak Vukoja Zelenika Čuljak
    Ćurić Ćavar Džeko Đogić Žilić Nevistić Lukenda Ljevar Njavro Krišto Kraljević Jelić Jozić Ivić Hrkać Grgić Franjić
    Došen Crnogorac Cvitanović Bubalo Anić Andrić Blažević Drmać Gavran Josipović Kordić Lasić Martinović Miličević
    Nikolić Oršolić Primorac Rebić Sesar Tadić Vranjković Zubac Vasilj Pinjuh Šakota Šunjić Živković""",
)
_SERB = _tradition(
    """Milica Jelena Dragana Mirjana Radmila Slavica Marija Nada Ljubica Vesna Milena Gordana Snežana Ana Sanja Bojana
    Jovana Nataša Tanja Dijana Stoja Mara Savka Zorica Dušanka Milka Rada Biljana Ljiljana Svetlana Nevenka Jovanka
    Božana Anđelka Nikolina Sara Teodora Tijana Jagoda Đurđa Đurđica Stana Petra Vidosava Ognjenka Njegica Cvijeta Zora
    Željka Živana Danijela Dragica Branka Smilja Koviljka Ranka Sofija Anastasija Desanka Kosara""",
    """Nikola Milan Dragan Marko Stefan Zoran Goran Nemanja Miloš Aleksandar Željko Milorad Slobodan Branko Petar Jovan
    Dušan Mladen Nenad Dejan Siniša Bojan Ljubiša Radovan Momčilo Milenko Rade Ranko Slavko Boško Mirko Đorđe Stojan
    Vojislav Luka Vuk Ognjen Lazar Dalibor Saša Predrag Vlado Ljubomir Gojko Obrad Savo Simo Ostoja Živko Njegoš Đuro
    Srđan Ilija Mihajlo Danilo Vaso Vidoje Čedomir Radoslav Tihomir""",
    """Kovačević Petrović Jovanović Savić Marković Popović Nikolić Đurić Tomić Lukić Vuković Simić Marić Todorović Ilić
    Mitrović Stanković Vasić Milić Babić Knežević Stojanović Đukić Radić Kuzmanović Vidović Jović Pavlović Gajić Tešić
    Vujić Stanić Topić Milošević Dragić Kecman Banjac Zrnić Malešević Vučenović Ćosić Čolić Đekić Đorđević Šarić Škrbić
    Šobot Ždrale Ljubojević Njegomir Džombić Dakić Dodik Dragojević Erceg Gligorić Grahovac Jokić Kelečević Kojić
    Kremenović Lazić Lakić Macura Mandić Mišić Mirković Nedić Novaković Obradović Ostojić Pejić Plavšić Pantić Radović
    Rakić Rodić Sladojević Stupar Šipka Švraka Tadić Trivić Tubić Umićević Vranješ Vukić Zec Zorić Žarić Višnjić Bojanić
    Borić Crnadak Cvijić Despotović Drinić""",
)
_OTHER = _tradition(
    """Ana Marija Sara Ema Maja Lana Tea Ivana Irma Ines Nina Jasna Vera Olga Helena Aurelija Đulijana Lidija Mirela""",
    """Adi David Robert Danijel Denis Igor Boris Saša Damir Zlatko Dino Leo Oliver Roman Emil Viktor Đani Elvis""",
    """Horvat Kovač Nikolić Novak Müller Weber Papo Finci Danon Altarac Kabiljo Zupančič Kučera Hloušek Rakowski Dudaš
    Osmani Beriša Krasniqi Đorđević Seferović Ramić Halilović Petkovski Kovalenko Ferhatović""",
)
TRADITIONS: Final = (_BOSNIAK, _CROAT, _SERB, _OTHER)


def draw_name(rng: Random, mix: tuple[float, ...], sex: Sex, cyrillic_share: float) -> PersonName:
    """Draw a name; ``mix`` holds the cumulative weights of :data:`TRADITIONS`.

    ``cyrillic_share`` is the share of names of Serbian tradition that are recorded in Cyrillic.
    """
    tradition = rng.choices(TRADITIONS, cum_weights=mix)[0]
    surname = rng.choices(tradition.surnames, cum_weights=tradition.surname_weights)[0]
    if sex == "F":
        given = rng.choices(tradition.female, cum_weights=tradition.female_weights)[0]
        if rng.random() < 0.05:
            second = rng.choices(tradition.surnames, cum_weights=tradition.surname_weights)[0]
            surname = surname if second == surname else f"{surname}{'-' if rng.random() < 0.6 else ' '}{second}"
    else:
        given = rng.choices(tradition.male, cum_weights=tradition.male_weights)[0]
    if rng.random() < 0.9:
        parent = rng.choices(tradition.male, cum_weights=tradition.male_weights)[0]
    else:
        parent = rng.choices(tradition.female, cum_weights=tradition.female_weights)[0]
    if tradition is _SERB and rng.random() < cyrillic_share:
        return PersonName(_cyrillic(surname), _cyrillic(given), _cyrillic(parent), cyrillic=True)
    return PersonName(surname, given, parent, cyrillic=False)


@lru_cache(maxsize=1 << 14)
def _cyrillic(name: str) -> str:
    return to_cyrillic(name)
